// A week at a plant, and what a second plant does with its goods: node plant_week.js SETTINGS
import { createClient } from "graphql-ws";
import * as plant from "./plant/graphql.js";
import { only, Person, recorded, Refused, requestId } from "./node.js";
import { say, sayEntry, settings } from "./telling.js";

const { mark, nodes, password } = settings();
const li = await Person.signIn(nodes.SH1, "li.wei", password);
const wang = await Person.signIn(nodes.SH1, "wang.fang", password);
const wangAway = await Person.signIn(nodes.SZ2, "wang.fang", password);

const kilograms = (amount: string) => ({ amount, unit: "KGM" });
const line = (batchCode: string, amount: string, locationCode = "A1") => ({
  batchCode,
  quantity: kilograms(amount),
  locationCode,
});
const request = (reason = "A week at a plant") => ({ requestId: requestId(), reason });

/** Return a batch by an alias of its own. */
async function batch(at: Person, alias: string) {
  const { batches } = await at.send(plant.BatchesDocument, { filter: { aliases: { value: { eq: alias } } } });
  return only(batches.nodes);
}

/** Say what is on hand of a batch at a plant, and whether it may be used. */
async function sayStock(at: Person, alias: string) {
  for (const { plant, onHand, usable, blockedBy } of (await batch(at, alias)).atPlants)
    say("stock", plant.code, onHand.amount, onHand.unit, usable ? "usable" : (blockedBy?.code ?? ""));
}

/** Say how a mutation was refused, and where in its input. */
async function sayRefusal(attempt: () => Promise<unknown>) {
  try {
    await attempt();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say("refused", error.refusal.code, error.refusal.path?.join(".") ?? "as a whole");
  }
}

// Before the week: new master data. A second save changes the shelf life alone, and a third is too late.
const code = (thing: string) => `${mark}-${thing}`;
const { saveSupplier } = await wang.send(plant.SaveSupplierDocument, {
  input: { ...request(), code: code("FARM"), name: "Hill farm" },
});
sayEntry(recorded(saveSupplier));
const { saveCustomer } = await wang.send(plant.SaveCustomerDocument, {
  input: { ...request(), code: code("SHOP"), name: "Village shop" },
});
sayEntry(recorded(saveCustomer));
const { saveLocation } = await wang.send(plant.SaveLocationDocument, {
  input: { ...request(), code: code("LINE"), name: "Filling line" },
});
sayEntry(recorded(saveLocation));
const { saveEquipment } = await wang.send(plant.SaveEquipmentDocument, {
  input: { ...request(), code: code("VAT"), name: "Vat" },
});
sayEntry(recorded(saveEquipment));
async function saveCream(fields: Omit<plant.SaveMaterialInput, "code" | "requestId">) {
  const input = { ...request(), code: code("CREAM"), ...fields };
  return recorded((await wang.send(plant.SaveMaterialDocument, { input })).saveMaterial);
}
async function cream() {
  const filter = { code: { eq: code("CREAM") } };
  return only((await wang.send(plant.MaterialsDocument, { filter })).materials.nodes);
}
sayEntry(await saveCream({ name: "Cream", unitCode: "KGM", shelfLifeDays: 10, retestDays: 5 }));
const { version } = await cream();
sayEntry(await saveCream({ shelfLifeDays: 12, expectedVersion: version }));
await sayRefusal(() => saveCream({ shelfLifeDays: 14, expectedVersion: version }));
const { name, shelfLifeDays, retestDays } = await cream();
say("material", name, shelfLifeDays ?? "", retestDays ?? "");

// Monday: milk comes in. The second receipt was a mistake.
async function receive(supplierLot: string, amount: string) {
  const { receiveBatch } = await li.send(plant.ReceiveBatchDocument, {
    input: {
      ...request(),
      materialCode: "MILK",
      quantity: kilograms(amount),
      locationCode: "A1",
      supplierCode: code("FARM"),
      supplierLot,
    },
  });
  return sayEntry(recorded(receiveBatch));
}
const milkLot = `${mark}-MILK`;
const { eventCursor } = await wang.send(plant.EventCursorDocument);
await receive(milkLot, "500");
const wrong = await receive(`${mark}-WRONG`, "1");
const { correctEntry } = await wang.send(plant.CorrectEntryDocument, {
  input: { ...request("Never delivered"), entryId: wrong.id, correctionReason: "DID_NOT_OCCUR" },
});
sayEntry(recorded(correctEntry));
const milk = await batch(li, milkLot);

// Tuesday: yoghurt is made of it.
const jobOrder = `${mark}-JOB`;
const { openProcess } = await li.send(plant.OpenProcessDocument, {
  input: { ...request(), kind: "PRODUCTION", jobOrder, equipmentCode: code("VAT") },
});
sayEntry(recorded(openProcess));
const { processRecords } = await li.send(plant.ProcessRecordsDocument, { filter: { jobOrder: { eq: jobOrder } } });
const processId = only(processRecords.nodes).id;
const { addProcessInputs } = await li.send(plant.AddProcessInputsDocument, {
  input: { ...request(), processId, lines: [line(milk.code, "400")] },
});
sayEntry(recorded(addProcessInputs));
const yoghurtLot = `${mark}-YOGHURT`;
const { addProcessOutputs } = await li.send(plant.AddProcessOutputsDocument, {
  input: {
    ...request(),
    processId,
    outputs: [
      {
        materialCode: "YOGURT",
        quantity: kilograms("390"),
        locationCode: "A1",
        aliases: [{ scheme: "LOT", value: yoghurtLot }],
      },
    ],
  },
});
sayEntry(recorded(addProcessOutputs));
const { closeProcess } = await li.send(plant.CloseProcessDocument, { input: { ...request(), processId } });
sayEntry(recorded(closeProcess));
const yoghurt = await batch(li, yoghurtLot);

// Wednesday: some of it goes to the line and is counted there.
const { moveBatch } = await li.send(plant.MoveBatchDocument, {
  input: {
    ...request(),
    batchCode: yoghurt.code,
    fromLocationCode: "A1",
    toLocationCode: code("LINE"),
    quantity: kilograms("90"),
  },
});
sayEntry(recorded(moveBatch));
// A scanner that was offline sends its queue: a move back, and a move of more than there is.
const queued = (["0.5", "5000"] as const).map((amount) => ({
  moveBatch: {
    ...request(),
    batchCode: yoghurt.code,
    fromLocationCode: code("LINE"),
    toLocationCode: "A1",
    quantity: kilograms(amount),
  },
}));
for (const { recorded, refusal } of (await li.send(plant.SubmitDocument, { commands: queued })).submit)
  say("submitted", recorded?.entry.type ?? refusal?.code ?? "");
const { countStock } = await wang.send(plant.CountStockDocument, {
  input: { ...request(), batchCode: yoghurt.code, locationCode: code("LINE"), counted: kilograms("89.4") },
});
sayEntry(recorded(countStock));

// Thursday: it is put on hold. Nobody ships it, nobody releases it alone, and two people release it.
const { placeHold } = await li.send(plant.PlaceHoldDocument, {
  input: { ...request("Taste off"), batchCode: yoghurt.code },
});
sayEntry(recorded(placeHold));
await sayStock(li, yoghurtLot);
const ship = async (validateOnly = false) => {
  const input = { ...request(), customerCode: code("SHOP"), customerOrder: `${mark}-PO`, lines: [line(yoghurt.code, "100")] };
  return recorded((await wang.send(plant.ShipGoodsDocument, { input, validateOnly })).shipGoods);
};
await sayRefusal(() => ship());
await sayStock(li, yoghurtLot);
const { requestRelease } = await li.send(plant.RequestReleaseDocument, {
  input: { ...request("Tasted again, sound"), batchCode: yoghurt.code },
});
sayEntry(recorded(requestRelease));
/** Return the change request of the yoghurt, as a person sees it. */
async function asked(person: Person) {
  const filter = { batchCode: { eq: yoghurt.code } };
  return only((await person.send(plant.ChangeRequestsDocument, { filter })).changeRequests.nodes);
}
for (const person of [li, wang]) {
  const { allowed, blockedBy } = (await asked(person)).viewerCanDecide;
  say("may decide", allowed ? "yes" : (blockedBy?.code ?? ""));
}
const { id: changeRequestId, proposal } = await asked(wang);
const decision = (): plant.DecideChangeRequestInput => ({
  requestId: requestId(),
  changeRequestId,
  proposal,
  verdict: "APPROVED",
  comment: "Tasted too",
});
const decide = async (person: Person) => {
  const { decideChangeRequest } = await person.send(plant.DecideChangeRequestDocument, { input: decision() });
  return recorded(decideChangeRequest);
};
await sayRefusal(() => decide(li));
sayEntry(await decide(wang));
await sayStock(li, yoghurtLot);

// Friday: some is shipped, some goes to the second plant, and headquarters is asked about the rest.
if (!(await ship(true))) say("shipment validated");
sayEntry(await ship());
const { dispatchTransfer } = await wang.send(plant.DispatchTransferDocument, {
  input: { ...request(), destinationCode: "SZ2", lines: [line(yoghurt.code, "50")] },
});
sayEntry(recorded(dispatchTransfer));
const [sent] = (await wang.send(plant.TransfersDocument, { filter: { state: { eq: "IN_TRANSIT" } } })).transfers.nodes;
const { receiveTransfer } = await wangAway.send(plant.ReceiveTransferDocument, {
  input: { ...request(), manifest: sent?.manifest ?? "", locationCode: "A1" },
});
sayEntry(recorded(receiveTransfer), "SZ2");
const { requestExpiryExtension } = await li.send(plant.RequestExpiryExtensionDocument, {
  input: { ...request("Cold chain held"), batchCode: yoghurt.code, expiresOn: later(yoghurt.expiresOn, 7) },
});
sayEntry(recorded(requestExpiryExtension));
await sayStock(li, yoghurtLot);
const { trace } = await wang.send(plant.TraceDocument, { input: { batchCodes: [milk.code], direction: "FORWARD" } });
say("trace", trace.summary.batchCount, "batches", trace.summary.processCount, "processes");
await sayLedger(eventCursor);

/** Say what Li recorded in the ledger after a cursor, as a subscription streams it, until yoghurt was made. */
async function sayLedger(after: string) {
  const client = createClient({
    url: `${nodes.SH1.replace("http", "ws")}/graphql`,
    connectionParams: { authorization: wang.authorization },
  });
  const query = plant.LedgerEntriesDocument.toString();
  const variables: plant.LedgerEntriesSubscriptionVariables = { after, filter: { actorCode: { eq: "li.wei" } } };
  for await (const { data } of client.iterate<plant.LedgerEntriesSubscription>({ query, variables })) {
    if (!data) throw new Error("an event without data");
    const { type, actor } = data.ledgerEntries.entry;
    say("streamed", actor.code, type);
    if (type === "ProcessOpened") break;
  }
  await client.dispose();
}

function later(day: string | null | undefined, days: number): string {
  const date = new Date(day ?? "");
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}
