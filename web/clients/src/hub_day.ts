// A day at headquarters, after a week at a plant: node hub_day.js SETTINGS
import * as hub from "./hub/graphql.js";
import { only, Person, recorded, requestId, until } from "./node.js";
import { say, sayEntry, settings } from "./telling.js";

const { mark, nodes, password } = settings();
const chen = await Person.signIn(nodes.HUB, "chen.jing", password);
const request = (reason: string) => ({ requestId: requestId(), reason });

/** Return a batch by its alias once the hub knows it at so many plants. */
const batch = (alias: string, plants: number) =>
  until(async () => {
    const { batches } = await chen.send(hub.BatchesDocument, { filter: { aliases: { value: { eq: alias } } } });
    return batches.nodes.find((one) => one.atPlants.length === plants);
  });

// Every plant replicates, and no entry waits for a person.
const milk = await batch(`${mark}-MILK`, 1);
const yoghurt = await batch(`${mark}-YOGHURT`, 2);
const { plants } = await chen.send(hub.PlantsDocument);
for (const { code, replication } of plants) say(code, replication?.state ?? "");
const { parkedEntries } = await chen.send(hub.ParkedEntriesDocument);
say("parked", parkedEntries.nodes.length);
const { alarms } = await chen.send(hub.AlarmsDocument);
say("alarms", alarms.nodes.length);

// The milk is followed to both plants.
const { trace } = await chen.send(hub.TraceDocument, { input: { batchCodes: [milk.code], direction: "FORWARD" } });
say("trace", trace.summary.batchCount, "batches", trace.summary.processCount, "processes");

// Cream is defined at both plants. What is not given stays as it is at the plant that has it.
const code = `${mark}-CREAM`;
const { saveMaterial } = await chen.send(hub.SaveMaterialDocument, {
  input: { ...request("One cream for all"), code, name: "Group cream", unitCode: "KGM", shelfLifeDays: 20 },
  plantCodes: ["SH1", "SZ2"],
});
sayEntry(recorded(saveMaterial));
const creams = await until(async () => {
  const { materials } = await chen.send(hub.MaterialsDocument, { filter: { code: { eq: code } } });
  const saved = materials.nodes.filter((one) => one.name === "Group cream");
  return saved.length === 2 ? saved : undefined;
});
for (const { plant, shelfLifeDays, retestDays } of creams)
  say("material", plant.code, shelfLifeDays ?? "", retestDays ?? "none");

// The expiry that the plant asked about is extended.
const filter = { batchCode: { eq: yoghurt.code }, kind: { eq: "EXPIRY_EXTENSION" } } as const;
const asked = await until(async () => {
  const { changeRequests } = await chen.send(hub.ChangeRequestsDocument, { filter });
  return changeRequests.nodes.at(0);
});
const { decideChangeRequest } = await chen.send(hub.DecideChangeRequestDocument, {
  input: {
    requestId: requestId(),
    changeRequestId: asked.id,
    proposal: asked.proposal,
    verdict: "APPROVED",
    comment: "The cold chain held",
  },
});
sayEntry(recorded(decideChangeRequest));
const decided = await until(async () => {
  const { changeRequests } = await chen.send(hub.ChangeRequestsDocument, { filter });
  const { state } = only(changeRequests.nodes);
  return state === "APPLIED" ? state : undefined;
});
say("change request", decided);

// The yoghurt is held everywhere, and both plants say that they hold it.
const { placeHold } = await chen.send(hub.PlaceHoldDocument, {
  input: { ...request("A complaint"), batchCode: yoghurt.code, kind: "QUALITY" },
});
sayEntry(recorded(placeHold));
const answered = await until(async () => {
  const { hubDirectives } = await chen.send(hub.DirectivesDocument, { filter: { key: { eq: yoghurt.code } } });
  const holds = hubDirectives.nodes.filter((one) => one.type === "HoldDirected");
  return holds.length > 0 && holds.every((one) => one.state === "APPLIED") ? holds : undefined;
});
say("directives", answered.length);
for (const { plant, blockedBy } of (await batch(`${mark}-YOGHURT`, 2)).atPlants)
  say("stock", plant.code, blockedBy?.code ?? "usable");
