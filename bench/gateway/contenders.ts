import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../../packages/purser/test/support/free-port.ts'
import { serverFlags, serverProgram } from '../../scripts/setup.mjs'
import { type ServerProcess, startOnPort } from './processes.ts'

/** One server under test. */
export interface Contender {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** A Lua expression for the body of request `n`. */
  readonly body: string
  readonly server: ServerProcess
}

const USERS = 1_000
const JSON_TYPE = { 'content-type': 'application/json' }
const MESSAGE = '[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Say hello."}]'
export const SAME_QUESTION: string = `'{"model":"m","user":"user-' .. (n % ${USERS}) .. '","messages":${MESSAGE}}'`
const NEW_QUESTION = `'{"model":"m","user":"user-' .. (n % ${USERS}) .. '","messages":[{"role":"user","content":"Question ' .. n .. '"}]}'`

export const CAP: object = { ledger: { dailyCap: 100_000_000 } }
const ANSWERS = { ...CAP, answers: { enabled: true } }

/** Starts all contenders; `directory` is that of the benchmarks. Disposing `stack` stops them. */
export async function startContenders(
  stack: AsyncDisposableStack,
  { directory, origin }: { readonly directory: string; readonly origin: string },
): Promise<Contender[]> {
  const start = { stack, directory, origin }
  return [
    await startRelay(start),
    await startPortkey(start),
    await startPurser(start, {
      name: 'Purser, memory store, no cap',
      config: { store: 'memory:' },
      body: SAME_QUESTION,
    }),
    await startPurser(start, { name: 'Purser, everything on', config: CAP, body: SAME_QUESTION }),
    await startPurser(start, { name: 'Purser, answers on, every question new', config: ANSWERS, body: NEW_QUESTION }),
    await startPurser(start, {
      name: 'Purser, answers on, every question known',
      config: ANSWERS,
      body: SAME_QUESTION,
    }),
  ]
}

/** Gateways with everything on, one for each store; undefined: a new SQLite file. */
export async function startOnStores(
  stack: AsyncDisposableStack,
  start: { readonly directory: string; readonly origin: string },
  stores: readonly (string | undefined)[],
): Promise<Contender[]> {
  const contenders: Contender[] = []
  for (const store of stores) {
    const secretKey = Buffer.alloc(32, 1).toString('base64')
    const config = store === undefined ? CAP : { ...CAP, store, secretKey }
    const name = `Purser on ${store === undefined ? 'SQLite' : new URL(store).protocol.slice(0, -1)}`
    contenders.push(await startPurser({ stack, ...start }, { name, config, body: SAME_QUESTION }))
  }
  return contenders
}

export interface Start {
  readonly stack: AsyncDisposableStack
  readonly directory: string
  readonly origin: string
}

async function startRelay({ stack, directory, origin }: Start): Promise<Contender> {
  const port = await findFreePort()
  const program = join(directory, 'gateway', 'relay.ts')
  const server = stack.use(await startOnPort([...serverFlags, program, origin, String(port)], port))
  return contender('bare `node:http` and undici relay', { server, headers: JSON_TYPE, body: SAME_QUESTION })
}

async function startPortkey({ stack, directory, origin }: Start): Promise<Contender> {
  const program = join(directory, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js')
  const port = await findFreePort()
  const server = stack.use(await startOnPort([...serverFlags, program, '--headless', `--port=${port}`], port))
  const headers = {
    ...JSON_TYPE,
    authorization: 'Bearer bench',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': `${origin}/v1`,
  }
  return contender('Portkey 1.15.2, bare relay', { server, headers, body: SAME_QUESTION })
}

export interface PurserOptions {
  readonly name: string
  readonly config: object
  readonly body: string
  /** Runs the sources, and this module before them. Otherwise the program that `npm start` runs. */
  readonly preloaded?: string
}

export async function startPurser(
  { stack, directory, origin }: Start,
  { name, config, body, preloaded }: PurserOptions,
): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const port = await findFreePort()
  const file = join(folder, 'purser.config.json')
  const providers = { local: { kind: 'openai-compatible', baseURL: `${origin}/v1`, apiKey: 'bench', models: ['m'] } }
  const runtime = { defaults: { provider: 'local', model: 'm' } }
  const store = `sqlite:${join(folder, 'purser.db')}`
  writeFileSync(file, JSON.stringify({ store, providers, runtime, server: { port }, ...config }))
  const sources = join(directory, '..', 'packages', 'server', 'src', 'main.ts')
  const program =
    preloaded === undefined ? [serverProgram] : ['--conditions=@purser/source', `--import=${preloaded}`, sources]
  const args = [...serverFlags, ...program, 'serve', '--config', file]
  const server = stack.use(await startOnPort(args, port, { PURSER_SERVICE_KEY: KEY, PURSER_ADMIN_KEY: `admin-${KEY}` }))
  return contender(name, { server, headers: { ...JSON_TYPE, authorization: `Bearer ${KEY}` }, body })
}

const KEY = 'bench-key-0123456789abcdef0123456789abcdef'

function contender(name: string, rest: Pick<Contender, 'server' | 'headers' | 'body'>): Contender {
  return { name, url: `http://127.0.0.1:${rest.server.port}/v1/chat/completions`, ...rest }
}
