// Composes subgraphs: node compose.js NAME=SDL_FILE... prints the API schema of the supergraph, or its errors.
import { readFileSync } from "node:fs";
import { composeServices } from "@apollo/composition";
import { parse, printSchema } from "graphql";

const services = process.argv.slice(2).map((given) => {
  const [name, file] = given.split("=");
  return { name, url: `http://${name}.example/graphql`, typeDefs: parse(readFileSync(file, "utf-8")) };
});
const composed = composeServices(services);
if (composed.errors) {
  for (const error of composed.errors) console.error(error.message);
  process.exitCode = 1;
} else {
  console.log(printSchema(composed.schema.toAPISchema().toGraphQLJSSchema()));
}
