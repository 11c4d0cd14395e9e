import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const executablePath = PLACES.find((place) => existsSync(place))

/**
 * Why the browser tests cannot run here; false when they can. On a laptop without Chromium they are skipped and say so;
 * where `CI=true` they run into the missing browser and fail, because there a missing browser is a defect.
 */
export const noBrowser: string | false =
  executablePath === undefined && process.env.CI !== 'true'
    ? 'Chromium is not installed (Debian: apt-get install chromium): the Deck is NOT tested in a browser'
    : false

if (noBrowser !== false) console.warn(`\n  SKIPPED: ${noBrowser}\n`)

export async function openBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(`Chromium is needed at one of: ${PLACES.join(', ')}`)
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

export const WIDE = { width: 1440, height: 900 }
export const NARROW = { width: 390, height: 844 }

/** A page that keeps account of everything a user must never meet: errors in the console, requests to elsewhere. */
export interface Watched {
  readonly page: Page
  readonly context: BrowserContext
  /** Console errors, page errors, violations of the policy and foreign requests so far. */
  readonly complaints: string[]
}

/** `expected` are console errors that a test provokes on purpose. */
export async function openPage(
  browser: Browser,
  origin: string,
  options: Parameters<Browser['newContext']>[0] & { expected?: RegExp } = {},
): Promise<Watched> {
  const { expected, ...rest } = options
  const context = await browser.newContext({ viewport: WIDE, colorScheme: 'light', reducedMotion: 'reduce', ...rest })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) complaints.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`page: ${error.message}`))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(origin).origin) complaints.push(`foreign: ${request.url()}`)
  })
  return { page, context, complaints }
}

/** Keeps a picture of the page under `screenshots/`, which is not committed. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = join(import.meta.dirname, '../../screenshots')
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}
