/** The page: a sign-in form until there is an access token, then GraphiQL with it. */

import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";

import { useState } from "react";
import { createRoot } from "react-dom/client";

import { Console } from "./console";
import { SignIn } from "./sign_in";

function Page() {
  const [token, setToken] = useState<string>();
  const [notice, setNotice] = useState("");

  function leave(reason: string) {
    setToken(undefined);
    setNotice(reason);
  }

  return token === undefined ? <SignIn notice={notice} onToken={setToken} /> : <Console token={token} onLeave={leave} />;
}

const place = document.getElementById("page");
if (place === null) {
  throw new Error("The page has no place to be drawn in.");
}
createRoot(place).render(<Page />);
