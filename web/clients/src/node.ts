// A node of Batchloom over HTTP: signing in, sending documents, and telling what was recorded from what was refused.
import { randomUUID } from "node:crypto";

/** A document as graphql-codegen generates it: its text, and the types of its data and variables. */
export interface Document<Data, Variables> {
  __apiType?: (variables: Variables) => Data;
  toString(): string;
}

type Entry = { id: string; index: number; type: string };
type Recorded = { entry: Entry };
type Refusal = { code: string; message: string; path?: string[] | null };
type Validated = { __typename: "Validated" };

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(`${refusal.code}: ${refusal.message} (${refusal.path?.join(".") ?? ""})`);
  }
}

/** Return the entry that a mutation recorded, or nothing where it only validated. Throws Refused for a refusal. */
export function recorded(result: Recorded | Refusal | Validated): Entry | undefined {
  if ("code" in result) throw new Refused(result);
  return "entry" in result ? result.entry : undefined;
}

/** Return a request id. Sending a request again with the same id does it once. */
export const requestId = (): string => randomUUID();

export class Person {
  private constructor(
    readonly url: string,
    private readonly token: string,
  ) {}

  static async signIn(url: string, person: string, password: string): Promise<Person> {
    const answer = await fetch(`${url}/auth/token`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ person, password }),
    });
    if (!answer.ok) throw new Error(`${person} may not sign in: ${answer.status}`);
    const { accessToken } = (await answer.json()) as { accessToken: string };
    return new Person(url, accessToken);
  }

  get authorization(): string {
    return `Bearer ${this.token}`;
  }

  /** Send a query or a mutation and return its data. */
  async send<Data, Variables>(
    document: Document<Data, Variables>,
    ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
  ): Promise<Data> {
    const answer = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { Authorization: this.authorization, "Content-Type": "application/json", "Accept-Language": "en" },
      body: JSON.stringify({ query: document.toString(), variables: variables ?? {} }),
    });
    const { data, errors } = (await answer.json()) as { data?: Data; errors?: unknown };
    if (!data || errors) throw new Error(`${answer.status} ${JSON.stringify(errors)}`);
    return data;
  }
}

/** Return the only one of a list. */
export function only<T>(found: readonly T[]): T {
  const [first, ...others] = found;
  if (first === undefined || others.length > 0) throw new Error(`${found.length} found where one is expected`);
  return first;
}

const ASKS_MAX = 300;
const PAUSE_MS = 100;

/** Ask again until there is an answer: what a plant records takes a moment to reach the hub, and back. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let asked = 0; asked < ASKS_MAX; asked += 1) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error("no answer came");
}
