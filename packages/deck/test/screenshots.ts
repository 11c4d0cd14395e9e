import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { NARROW, WIDE } from './support/browser.ts'
import { openDeckHarness } from './support/deck-harness.ts'
import { openScreen, SCREENS } from './support/screens.ts'

/*
 * Takes the pictures of the documentation from `purser demo`: every page and dialog, wide and narrow, light and dark.
 * `--png FOLDER` saves whole pages as PNG files instead, to look at; `--width`, `--scheme` and `--only` choose some.
 */

const QUALITY = 70
const { values: flags } = parseArgs({
  options: {
    png: { type: 'string' },
    width: { type: 'string' },
    scheme: { type: 'string' },
    only: { type: 'string' },
  },
})
const folder = flags.png === undefined ? join(import.meta.dirname, '../../../docs/images/deck') : resolve(flags.png)

const HUGE = { width: 1920, height: 1080 }
const SIZES = flags.png === undefined ? [WIDE, NARROW] : [WIDE, NARROW, HUGE]

async function takePicture(page: Page, name: string): Promise<void> {
  if (flags.png !== undefined) {
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: !/dialog|users/.test(name) })
    return
  }
  // Playwright has no WebP, which takes a third of the bytes of PNG.
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY })
  await writeFile(join(folder, `${name}.webp`), Buffer.from(data, 'base64'))
}

await mkdir(folder, { recursive: true })
await using harness = await openDeckHarness({ command: 'demo' })
const screens = SCREENS.filter(({ name }) => new RegExp(flags.only ?? '').test(name))
for (const viewport of SIZES) {
  const width = String(viewport.width)
  if (flags.width !== undefined && !flags.width.split(',').includes(width)) continue
  for (const colorScheme of ['light', 'dark'] as const) {
    if (flags.scheme !== undefined && flags.scheme !== colorScheme) continue
    if ('sign-in'.match(flags.only ?? '') !== null) {
      const { page, context } = await harness.openPage({ viewport, colorScheme })
      await page.goto(`${harness.base}/deck/`)
      await page.getByRole('heading', { name: 'Observation Deck' }).waitFor()
      await takePicture(page, `sign-in-${width}-${colorScheme}`)
      await context.close()
    }
    const { page, context } = await harness.openDeck('#/', { viewport, colorScheme })
    for (const screen of screens) {
      await openScreen(page, harness.base, screen)
      await takePicture(page, `${screen.name}-${width}-${colorScheme}`)
    }
    await context.close()
  }
}
