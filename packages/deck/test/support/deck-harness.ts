import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBrowser, openPage, type PageOptions, signIn, type WatchedPage } from './browser.ts'
import { ensureBuilt } from './build-deck.ts'

const MAIN = join(import.meta.dirname, '../../../server/src/main.ts')

/** Line that `purser serve --json` prints when it is ready. `keys` are those that this start created. */
interface Announcement {
  readonly url: string
  readonly deck: string
  readonly keys: readonly { readonly role: string; readonly key: string }[]
}

export interface DeckUser {
  readonly id: string
  /** Sends one chat request through the gateway. */
  chat(): Promise<Response>
  /** Calls the management API below `/users/ID` with the service key. */
  request(method: string, path: string, body?: unknown): Promise<Response>
}

/** A real `purser serve` with its own database, and a browser. */
export interface DeckHarness extends AsyncDisposable {
  readonly origin: string
  /** `origin` and the prefix. */
  readonly base: string
  /** The SQLite file of the store. */
  readonly file: string
  readonly serviceKey: string
  readonly adminKey: string
  /** The one-time sign-in link of the latest start. */
  readonly signInLink: string
  user(id: string): DeckUser
  /** Calls the management API with a key, by default the admin key. */
  request(method: string, path: string, options?: { body?: unknown; key?: string }): Promise<Response>
  /** Opens an empty page. */
  openPage(options?: PageOptions): Promise<WatchedPage>
  /** Opens a location of the Deck, such as `#/users/ada`, signed in with the admin key. */
  openDeck(location: string, options?: PageOptions): Promise<WatchedPage>
  /** Stops the server; `start` runs it again on the same port and database. */
  stop(): Promise<void>
  start(): Promise<void>
}

export interface DeckHarnessOptions {
  /** `demo`: the server of `purser demo`, in memory, without the other options. */
  readonly command?: 'serve' | 'demo'
  readonly prefix?: string
  readonly dailyCap?: number
  /** Further options of `server`. */
  readonly server?: Readonly<Record<string, unknown>>
  /** Further options of the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>
}

export async function openDeckHarness(options: DeckHarnessOptions = {}): Promise<DeckHarness> {
  await ensureBuilt()
  const browser = await openBrowser()
  const prefix = options.prefix ?? ''
  const folder = await mkdtemp(join(tmpdir(), 'purser-deck-'))
  const file = join(folder, 'purser.db')
  const config = {
    ...options.config,
    store: `sqlite:${file}`,
    ledger: { dailyCap: options.dailyCap ?? 0 },
    server: { ...options.server, host: '127.0.0.1', port: 0, prefix },
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const server = createServerProcess(
    folder,
    options.command === 'demo' ? ['demo'] : ['serve', '--config', 'config.json'],
  )
  const { url, keys } = await server.start()
  const { origin } = new URL(url)
  const base = `${origin}${prefix}`
  const keyOf = (role: string): string => keys.find((key) => key.role === role)?.key ?? ''
  const [serviceKey, adminKey] = [keyOf('service'), keyOf('admin')]

  function send(method: string, path: string, { body, key }: { body?: unknown; key: string }): Promise<Response> {
    return fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  return {
    origin,
    base,
    file,
    serviceKey,
    adminKey,
    get signInLink() {
      return server.signInLink
    },
    user: (id) => ({
      id,
      async chat() {
        const body = { user: id, messages: [{ role: 'user', content: 'Hi' }] }
        const response = await send('POST', '/v1/chat/completions', { body, key: serviceKey })
        await response.text()
        return response
      },
      request: (method, path, body) =>
        send(method, `/api/users/${encodeURIComponent(id)}${path}`, { body, key: serviceKey }),
    }),
    request: (method, path, { body, key = adminKey } = {}) => send(method, `/api${path}`, { body, key }),
    openPage: (pageOptions) => openPage(browser, origin, pageOptions),
    async openDeck(location, pageOptions) {
      const watched = await openPage(browser, origin, pageOptions)
      await watched.page.goto(`${base}/deck/${location}`)
      await signIn(watched.page, adminKey)
      await watched.page.getByRole('banner').waitFor()
      return watched
    },
    stop: server.stop,
    async start() {
      await server.start()
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface ServerProcess {
  readonly signInLink: string
  start(): Promise<Announcement>
  stop(): Promise<void>
}

/** Runs a command of `purser` in `folder`; every start after the first uses the port of the first. */
function createServerProcess(folder: string, command: readonly string[]): ServerProcess {
  let child: ChildProcess | undefined
  let signInLink = ''
  let port = 0
  return {
    get signInLink() {
      return signInLink
    },
    async start() {
      const flags = ['--json', '--port', String(port)]
      child = spawn(process.execPath, ['--conditions=@purser/source', MAIN, ...command, ...flags], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH },
      })
      const announcement = await readAnnouncement(child)
      signInLink = announcement.deck
      port = Number(new URL(announcement.url).port)
      return announcement
    },
    async stop() {
      if (child === undefined || child.exitCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Parses the first line of stdout; rejects with the output when the process exits before it. */
function readAnnouncement(child: ChildProcess): Promise<Announcement> {
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      if (stdout.includes('\n')) resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as Announcement)
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('exit', (code) => reject(new Error(`purser serve exited with ${code}:\n${stdout}${stderr}`)))
  })
}
