"""A folder that is there or gone from one moment to the next, for everybody: root too."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Share:
    """What stands at `place` is a link to `folder`, or while it is away a file that nothing can be put into."""

    place: Path
    folder: Path

    @property
    def url(self) -> str:
        """The address that a hub takes for its archive's."""
        return self.place.as_uri()

    def take_away(self) -> None:
        """Be gone, in one step: whoever writes meets the folder whole or not at all."""
        made = self.place.with_suffix(".new")
        made.touch()
        made.replace(self.place)

    def bring_back(self) -> None:
        """Be there, with all that was in it."""
        self.folder.mkdir(exist_ok=True)
        made = self.place.with_suffix(".new")
        made.symlink_to(self.folder)
        made.replace(self.place)
