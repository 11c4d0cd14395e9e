import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

/** Opens a server, sends a request to a route with a schema, and prints what was loaded before and after that. */
const PROGRAM = `
  import { createRequire } from 'node:module'
  import { createServer } from '@purser/server'
  const { cache } = createRequire(import.meta.filename)
  const loaded = () => ({
    ajv: Object.keys(cache).some((path) => /node_modules.ajv./.test(path)),
    fetch: process.moduleLoadList.some((name) => name.includes('deps/undici')),
  })
  const config = { store: 'memory:', server: { logLevel: 'silent' } }
  const server = await createServer({ config, authorize: () => ({ actor: 'test', role: 'admin' }) })
  await server.listen({ port: 0 })
  const before = loaded()
  const response = await server.fetch(new Request('http://localhost/api/users?limit=many'))
  console.log(JSON.stringify({ before, status: response.status, after: loaded() }))
  await server.close()
`

test('a start loads no compiler of schemas, and nothing for fetch', () => {
  const flags = ['--conditions=@purser/source', '--input-type=module', '--eval', PROGRAM]
  const { stdout, stderr } = spawnSync(process.execPath, flags, {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  })
  assert.deepEqual(JSON.parse(stdout || stderr), {
    before: { ajv: false, fetch: false },
    status: 400,
    after: { ajv: true, fetch: true },
  })
})
