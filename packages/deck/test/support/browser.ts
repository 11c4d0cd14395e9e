import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { replacedDist } from './build-deck.ts'

const CANDIDATES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const executablePath = CANDIDATES.find((path) => existsSync(path))

/**
 * The reason to skip the browser tests, false when they can run. Without Chromium they are skipped with a warning; with
 * `CI=true` they fail instead.
 */
export const noBrowser: string | false =
  executablePath === undefined && process.env.CI !== 'true'
    ? 'Chromium is not installed (Debian: apt-get install chromium): the Deck is NOT tested in a browser'
    : false

if (noBrowser !== false) console.warn(`\n  SKIPPED: ${noBrowser}\n`)

export async function openBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(`Chromium is required at one of: ${CANDIDATES.join(', ')}`)
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** Of every wait for the page: a busy machine is slow, and a page that never gets there is the exception. */
const TIMEOUT_MS = 60_000

export const WIDE = { width: 1440, height: 900 }
export const NARROW = { width: 390, height: 844 }

/** Options of the browser context; `expectedErrors` matches console errors that the test causes on purpose. */
export type PageOptions = Parameters<Browser['newContext']>[0] & {
  readonly expectedErrors?: RegExp
  /** The only origin that may be asked. Default: that of the server. */
  readonly origin?: string
}

/** A page in its own context that collects everything that must not happen. */
export interface WatchedPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Console errors, uncaught errors, policy violations and requests to other origins so far. */
  readonly violations: readonly string[]
}

/** Opens an empty page; requests to any origin but `origin` are violations. */
export async function openPage(browser: Browser, origin: string, options: PageOptions = {}): Promise<WatchedPage> {
  const { expectedErrors, origin: allowed = origin, ...rest } = options
  const context = await browser.newContext({ viewport: WIDE, colorScheme: 'light', reducedMotion: 'reduce', ...rest })
  context.setDefaultTimeout(TIMEOUT_MS)
  if (replacedDist !== undefined) await replaceFiles(context, replacedDist)
  const page = await context.newPage()
  const violations: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !expectedErrors?.test(message.text())) {
      violations.push(`console: ${message.text()}`)
    }
  })
  page.on('pageerror', (error) => violations.push(`page: ${error.message}`))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(allowed).origin) violations.push(`request: ${request.url()}`)
  })
  return { page, context, violations }
}

/** Signs in with a key on the sign-in page that is shown. */
export async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill(key)
  await page.keyboard.press('Enter')
}

/** Answers requests for files of the page from another build, with the headers that the server would send. */
async function replaceFiles(context: BrowserContext, folder: string): Promise<void> {
  await context.route(/\/deck\/(?:assets\/[^?]*|mark\.svg)?$/, async (route) => {
    const url = route.request().url()
    const name = /\/deck\/(.*)$/.exec(new URL(url).pathname)?.[1] ?? ''
    const path = join(folder, name === '' ? 'index.html' : name)
    // Redirects, as of a sign-in link, are not routed: they lead to the page of the server and its files.
    if (!existsSync(path)) return route.continue()
    const response = await route.fetch({ url: url.replace(/assets\/[^?]*$/, '') }).catch(() => undefined)
    if (response === undefined) return route.abort('connectionrefused')
    const { 'content-type': _, 'content-encoding': __, 'content-length': ___, ...headers } = response.headers()
    await route.fulfill({ status: 200, headers, path })
  })
}
