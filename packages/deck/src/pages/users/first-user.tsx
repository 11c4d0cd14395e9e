import './first-user.css'
import type { ReactElement } from 'react'
import { CodeBlock } from '../../components/code-block.tsx'
import { Page } from '../../layout/page.tsx'

/** Shown while there are no users: the request that creates the first one, ready to be copied. */
export function FirstUser(): ReactElement {
  const url = new URL('../v1/chat/completions', document.baseURI)
  const command = [
    `curl ${url.href} \\`,
    '  -H "authorization: Bearer $PURSER_SERVICE_KEY" \\',
    '  -H "content-type: application/json" \\',
    `  -d '{"model":"auto","user":"ada","messages":[{"role":"user","content":"Hi"}]}'`,
  ].join('\n')
  return (
    <Page className="first-user">
      <h1>Nobody is aboard yet</h1>
      <p className="first-user__lead">
        Send one chat request for a user, and they appear here at once; there is nothing to reload.
      </p>
      <div className="first-user__command">
        <CodeBlock text={command} copyLabel="Copy the request" />
      </div>
      <p className="muted">
        The first start printed a service key. A new one: <code>npx purser keys create --role service</code>
      </p>
    </Page>
  )
}
