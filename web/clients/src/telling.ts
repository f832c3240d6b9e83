// The settings of a play, and the lines that it prints for the test.
import { readFileSync } from "node:fs";

type Code = "HUB" | "SH1" | "SZ2";
type Settings = { mark: string; nodes: Record<Code, string>; password: string };

/** Return the settings in the file that the command line names. */
export const settings = (): Settings => JSON.parse(readFileSync(process.argv[2] ?? "", "utf-8")) as Settings;

type Entry = { index: number; type: string };

/** Print one line. An entry is printed as its type, and returned. */
export function say(...words: [...(string | number | boolean)[], Entry]): Entry;
export function say(...words: (string | number | boolean)[]): void;
export function say(...words: (string | number | boolean | Entry)[]): Entry | void {
  console.log(words.map((word) => (typeof word === "object" ? word.type : word)).join(" "));
  const last = words.at(-1);
  if (typeof last === "object") return last;
}
