/** The sign-in form: a person and a password become an access token, which stays in this page's memory only. */

import { type FormEvent, useState } from "react";

const WRONG = "The person or the password is not right. 用户名或密码不正确。";
const SILENT = "The server does not answer. 服务器没有响应。";

async function requestToken(person: string, password: string): Promise<string> {
  const response = await fetch("/auth/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ person, password }),
  }).catch(() => {
    throw new Error(SILENT);
  });
  if (!response.ok) {
    throw new Error(response.status < 500 ? WRONG : SILENT);
  }
  const { accessToken } = (await response.json()) as { accessToken: string };
  return accessToken;
}

export function SignIn({ notice, onToken }: { notice: string; onToken: (token: string) => void }) {
  const [trouble, setTrouble] = useState(notice);
  const [waiting, setWaiting] = useState(false);

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setWaiting(true);
    setTrouble("");
    try {
      onToken(await requestToken(String(form.get("person")), String(form.get("password"))));
    } catch (error) {
      setTrouble((error as Error).message);
      setWaiting(false);
    }
  }

  return (
    <main className="sign-in">
      <form onSubmit={signIn}>
        <h1>
          <img src="./icon.svg" alt="" /> Batchloom
        </h1>
        <p>Ask the GraphQL schema in your own words. 用 GraphQL 查询批次。</p>
        <label>
          Person 用户
          <input name="person" autoComplete="username" autoFocus required />
        </label>
        <label>
          Password 密码
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <output role="alert">{trouble}</output>
        <button disabled={waiting}>Sign in 登录</button>
      </form>
    </main>
  );
}
