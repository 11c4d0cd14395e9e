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
      <h1>No users yet</h1>
      <p className="first-user__lead">
        Send a chat request for a user. The user appears here at once, without a reload.
      </p>
      <div className="first-user__command">
        <CodeBlock text={command} copyLabel="Copy the request" />
      </div>
      <p className="muted">
        A service key was printed at the first start. To create another one:{' '}
        <code>npx purser keys create --role service</code>
      </p>
    </Page>
  )
}
