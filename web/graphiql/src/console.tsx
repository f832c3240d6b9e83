/** GraphiQL, speaking for the person who signed in: over HTTP, and over WebSocket for subscriptions. */

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { useEffect, useMemo } from "react";

const EXPIRED = "Your sign-in has ended, please sign in again. 登录已失效，请重新登录。";

const FIRST_QUERY = `# One question, every plant that you may see.
#
#   Ctrl-Space      completes what you type
#   Ctrl-Enter      asks
#   book, top left  explains every field
#
# Begin with a few batches. Then ask batch
# with one of their codes, or ask trace where
# it came from and where it went.

query FirstBatches {
  batches(first: 10) {
    edges {
      node {
        code
      }
    }
  }
}
`;

export function Console({ token, onLeave }: { token: string; onLeave: (reason: string) => void }) {
  const authorization = `Bearer ${token}`;

  const socket = useMemo(() => {
    const url = new URL("/graphql", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return createClient({ url: url.href, connectionParams: { authorization } });
  }, [authorization]);
  useEffect(() => () => void socket.dispose(), [socket]);

  const fetcher = useMemo(() => {
    async function ask(input: RequestInfo | URL, init?: RequestInit) {
      const response = await fetch(input, init);
      if (response.status === 401) {
        onLeave(EXPIRED);
      }
      return response;
    }
    return createGraphiQLFetcher({
      url: "/graphql",
      headers: { Authorization: authorization },
      fetch: ask as typeof fetch,
      wsClient: socket,
    });
  }, [authorization, socket]);

  return (
    <GraphiQL fetcher={fetcher} defaultQuery={FIRST_QUERY} isHeadersEditorEnabled={false} showPersistHeadersSettings={false}>
      <GraphiQL.Logo>
        <span className="logo">
          <img src="./icon.svg" alt="" /> Batchloom
          <button type="button" onClick={() => onLeave("")}>
            Sign out 退出
          </button>
        </span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}
