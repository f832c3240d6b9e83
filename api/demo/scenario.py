"""The played year: work of three plants of a biscuit maker, in rounds, through their GraphQL APIs.

Each of the twelve rounds represents a month. Their dates lie in the last 29 days, because a plant rejects records that
are more than 31 days late. Everything is done by people who signed in, and nothing is done twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from api.demo.floor import Floor, Headquarters

ROUNDS: Final = 12
DAYS: Final = 29
ROUND: Final = timedelta(days=DAYS) / ROUNDS
CUSTOMERS: Final = (
    ("METRO", "Metro Markets 麦德龙"),
    ("LOTUS", "Lotus Stores 莲花"),
    ("CORNER", "Corner Shops 便利店"),
)

MISCOUNTED, MISTYPED, SHORT, HELD, SUSPECT = 4, 2, 8, 6, 5
"""The rounds in which something goes wrong: a count, an entry, a delivery, a batch, and a supplier's lot."""

Tell = Callable[[str, int], None]


@dataclass
class YearResult:
    """The results that the demonstration shows."""

    pallet: str = ""
    suspect_lot: str = ""
    suspect: str = ""
    held: str = ""
    released_by: str = ""
    correction: int = 0
    boxes_left: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Handover:
    """Goods that one plant hands over to the next, within a round or across rounds."""

    peanuts: list[tuple[str, int]] = field(default_factory=list)
    paste: str = ""
    roasted: str = ""
    wafer: str = ""
    sugar: str = ""
    carton: str = ""
    labels: dict[str, str] = field(default_factory=dict)


class Year:
    """The year as it is played. `tell` is called with each scene and its round."""

    def __init__(self, floors: dict[str, Floor], headquarters: Headquarters, now: datetime, tell: Tell) -> None:
        self.nuts, self.bakery, self.packing = floors["QD1"], floors["WH1"], floors["SH1"]
        self.headquarters = headquarters
        self.begin = now - timedelta(days=DAYS)
        self.tell = tell
        self.filled, self.filled_amount = "", 0
        self.played = YearResult()
        self.carried = Handover()

    @property
    def scenes(self) -> int:
        """The number of scenes in the year."""
        return 1 + ROUNDS * len(self._scenes())

    def play(self) -> Iterator[timedelta]:
        """Play scene after scene, yielding after each how much of the calendar has gone by."""
        self._prepare()
        yield timedelta()
        for number in range(ROUNDS):
            start = self.begin + number * ROUND
            for name, scene in self._scenes():
                self.tell(name, number)
                scene(number, start)
                yield ROUND / len(self._scenes())

    def _scenes(self) -> tuple[tuple[str, Callable[[int, datetime], None]], ...]:
        return (
            ("Qingdao roasts", self._roast),
            ("Wuhan bakes", self._bake),
            ("Shanghai fills", self._fill),
            ("Shanghai packs and ships", self._pack),
        )

    def _prepare(self) -> None:
        """Define what each plant works with."""
        nuts = {
            "PEANUT": "Peanuts 花生",
            "SUGAR": "Sugar 白糖",
            "PASTE": "Peanut paste 花生酱",
            "ROASTED": "Roasted pieces 烤花生碎",
        }
        bakery = {
            "FLOUR": "Flour 面粉",
            "MILKPWD": "Milk powder 奶粉",
            "WAFER": "Wafers 威化片",
            "CRUMBS": "Crumbs 碎屑",
        }
        packing = {"FILLED": "Filled wafers 夹心威化"}
        for code, name in {**nuts, "SKINS": "Peanut skins 花生衣"}.items():
            self.nuts.material(code, name, "KGM", 180)
        for code, name in {**bakery, "ROASTED": nuts["ROASTED"]}.items():
            self.bakery.material(code, name, "KGM", 270)
        for code, name in {**packing, "PASTE": nuts["PASTE"], "WAFER": bakery["WAFER"]}.items():
            self.packing.material(code, name, "KGM", 270)
        self.packing.material("CARTON", "Cartons 纸箱", "H87", None)
        self.packing.material("BOX", "Boxes of wafers 威化礼盒", "H87", 270)
        for floor in (self.nuts, self.bakery, self.packing):
            floor.master("Location", "DOCK", "Dock 收货区")
            floor.master("Location", "STORE", "Store 仓库")
        self.nuts.master("Supplier", "GOLDNUT", "Golden Nut 金花生")
        self.nuts.master("Supplier", "SWEET", "Sweet Cane 甘蔗糖业")
        self.nuts.master("Equipment", "ROAST1", "Roaster 1 烘烤炉")
        self.bakery.master("Supplier", "MILLCO", "Mill & Co 面粉厂")
        self.bakery.master("Supplier", "DAIRY", "Northern Dairy 北方乳业")
        self.bakery.master("Equipment", "OVEN1", "Oven 1 烤炉")
        self.packing.master("Supplier", "PAPER", "Paper Works 纸业")
        self.packing.master("Equipment", "LINE1", "Line 1 包装线")
        for code, name in CUSTOMERS:
            self.packing.master("Customer", code, name)

    def _roast(self, number: int, start: datetime) -> None:
        floor, carried = self.nuts, self.carried
        lot = f"GN-{number + 1:02}A"
        came = 2000 + 100 * (number % 3)
        new = floor.receive("PEANUT", came, start, supplier="GOLDNUT", lot=lot)
        if number == SUSPECT:
            self.played.suspect, self.played.suspect_lot = new, lot
        if number % 3 == 0:
            carried.sugar = floor.receive("SUGAR", 600, start + _hours(1), supplier="SWEET", lot=f"SW-{number + 1:02}")
        if number == MISTYPED:
            wrong = floor.receive_entry("SUGAR", 6000, start + _hours(1), supplier="SWEET", lot=f"SW-{number + 1:02}")
            self.played.correction = floor.correct(wrong, "Ten times too much was typed in; no such delivery came.")
        floor.move(new, came, "KGM", "DOCK", "STORE", start + _hours(2))
        if number == MISCOUNTED:
            floor.count((new, came - 6, "KGM", "STORE"), start + _hours(3), "Counted at the monthly stock-taking.")
            came -= 6
        fed = [*carried.peanuts, (new, 1700)]
        run = floor.open_run("roasting", "ROAST1", start + _hours(4))
        floor.feed(run, [(code, amount, "KGM", "STORE") for code, amount in fed], start + _hours(5))
        floor.feed(run, [(carried.sugar, 90, "KGM", "DOCK")], start + _hours(6))
        total = sum(amount for _, amount in fed) + 90
        paste, pieces, skins = total * 3 // 4, 240, total // 20
        carried.paste, carried.roasted, _ = floor.produce(
            run,
            [
                ("PASTE", paste, "KGM", "PRODUCED"),
                ("ROASTED", pieces, "KGM", "PRODUCED"),
                ("SKINS", skins, "KGM", "BY_PRODUCT"),
            ],
            start + _hours(10),
        )
        floor.close_run(run, start + _hours(11))
        carried.peanuts = [(new, came - 1700)]
        carried.labels["paste"] = floor.dispatch("SH1", (carried.paste, paste, "KGM", "STORE"), start + _hours(14))
        carried.labels["roasted"] = floor.dispatch("WH1", (carried.roasted, pieces, "KGM", "STORE"), start + _hours(14))

    def _bake(self, number: int, start: datetime) -> None:
        floor, carried = self.bakery, self.carried
        flour = floor.receive("FLOUR", 1200, start + _hours(3), supplier="MILLCO", lot=f"M{number + 1:03}")
        milk = floor.receive("MILKPWD", 260, start + _hours(4), supplier="DAIRY", lot=f"ND-{2600 + number}")
        floor.take_in(carried.labels["roasted"], "DOCK", start + _hours(22))
        run = floor.open_run("baking", "OVEN1", start + _hours(23))
        inputs = [(flour, 1200, "KGM", "DOCK"), (milk, 260, "KGM", "DOCK"), (carried.roasted, 240, "KGM", "DOCK")]
        floor.feed(run, inputs, start + _hours(24))
        carried.wafer, _ = floor.produce(
            run, [("WAFER", 1600, "KGM", "PRODUCED"), ("CRUMBS", 55, "KGM", "BY_PRODUCT")], start + _hours(28)
        )
        floor.close_run(run, start + _hours(29))
        if number == HELD:
            self._hold_and_release(floor, carried.wafer, start + _hours(29))
        carried.labels["wafer"] = floor.dispatch("SH1", (carried.wafer, 1600, "KGM", "DOCK"), start + _hours(31))

    def _hold_and_release(self, floor: Floor, wafer: str, at: datetime) -> None:
        """Quality holds a batch; the plant asks for its release, and somebody else approves that at the hub."""
        self.played.held = wafer
        floor.quarantine(wafer, "Metal detector: the line stopped twice.", at)
        change = floor.ask_for_release(wafer, "Run again through the detector: no metal found.")
        self.played.released_by = self.headquarters.approve(change, "Seen the second run's record.")
        floor.wait_until_usable(wafer)

    def _fill(self, number: int, start: datetime) -> None:
        floor, carried = self.packing, self.carried
        paste = floor.take_in(carried.labels["paste"], "STORE", start + _hours(30))
        short = ((carried.wafer, 1600, "KGM", "STORE"), 3) if number == SHORT else None
        wafer = floor.take_in(carried.labels["wafer"], "STORE", start + _hours(40), short=short)
        run = floor.open_run("filling", "LINE1", start + _hours(41))
        inputs = [(carried.paste, paste, "KGM", "STORE"), (carried.wafer, wafer, "KGM", "STORE")]
        floor.feed(run, inputs, start + _hours(42))
        (self.filled,) = floor.produce(run, [("FILLED", paste + wafer - 40, "KGM", "PRODUCED")], start + _hours(45))
        floor.close_run(run, start + _hours(46))
        self.filled_amount = paste + wafer - 40

    def _pack(self, number: int, start: datetime) -> None:
        """Pack pallets of boxes: three go to customers, of the fourth a part; the rest is joined with others."""
        floor, carried = self.packing, self.carried
        if number % 4 == 0:
            carried.carton = floor.receive("CARTON", 2000, start, supplier="PAPER", lot=f"PW{number + 1}")
        run = floor.open_run("packing", "LINE1", start + _hours(47))
        cartons = (carried.carton, 440, "H87", "DOCK")
        floor.feed(run, [(self.filled, self.filled_amount, "KGM", "STORE"), cartons], start + _hours(48))
        pallets = floor.produce(run, [("BOX", 100, "H87", "PRODUCED")] * 4, start + _hours(50))
        floor.close_run(run, start + _hours(51))
        for pallet, (customer, _) in zip(pallets, CUSTOMERS, strict=False):
            floor.ship(customer, [(pallet, 100, "H87", "STORE")], f"SO-{number + 1:02}-{customer}", start + _hours(53))
        part, rest = floor.split(pallets[3], "STORE", [60, 40], "H87", start + _hours(53))
        floor.ship("CORNER", [(part, 60, "H87", "STORE")], f"SO-{number + 1:02}-MORE", start + _hours(54))
        left = self.played.boxes_left
        left.append((rest, 40))
        if len(left) == len(CUSTOMERS):
            joined = floor.merge([code for code, _ in left], "STORE", start + _hours(55))
            floor.ship("METRO", [(joined, 100, "H87", "STORE")], f"SO-{number + 1:02}-JOINED", start + _hours(56))
            left.clear()
        if number == SUSPECT:
            self.played.pallet = pallets[0]


def _hours(count: int) -> timedelta:
    return timedelta(hours=count)
