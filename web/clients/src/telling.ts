// The settings of a play, and the lines that it prints for the test.
import { readFileSync } from "node:fs";

type Code = "HUB" | "SH1" | "SZ2";
type Settings = { mark: string; nodes: Record<Code, string>; password: string };

/** Return the settings in the file that the command line names. */
export const settings = (): Settings => JSON.parse(readFileSync(process.argv[2] ?? "", "utf-8")) as Settings;

/** Print one line. */
export function say(...words: (string | number)[]): void {
  console.log(words.join(" "));
}

/** Print the type of an entry that was recorded, and return the entry. */
export function sayEntry<Entry extends { type: string }>(entry: Entry | undefined, ...words: string[]): Entry {
  if (!entry) throw new Error("nothing was recorded");
  say(...words, entry.type);
  return entry;
}
