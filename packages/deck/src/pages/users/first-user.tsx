import { type ReactElement, useMemo } from 'react'
import { Copy } from '../../components/copy-button.tsx'

/** Nobody is here yet: the request that changes it, ready to be pasted. */
export function FirstUser(): ReactElement {
  const line = useMemo(() => {
    const chat = new URL('../v1/chat/completions', document.baseURI)
    return [
      `curl ${chat.href} \\`,
      '  -H "authorization: Bearer $PURSER_SERVICE_KEY" \\',
      '  -H "content-type: application/json" \\',
      `  -d '{"model":"auto","user":"ada","messages":[{"role":"user","content":"Hi"}]}'`,
    ].join('\n')
  }, [])
  return (
    <div className="page first">
      <h1>Nobody is aboard yet</h1>
      <p className="lead">
        Send one chat request for a user, and they appear here at once; there is nothing to reload.
      </p>
      <div className="snippet">
        <pre>
          <code>{line}</code>
        </pre>
        <Copy text={line} label="Copy the request" />
      </div>
      <p className="quiet">
        The first start printed a service key. A new one: <code>npx purser keys create --role service</code>
      </p>
    </div>
  )
}
