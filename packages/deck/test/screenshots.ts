import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { NARROW, WIDE } from './support/browser.ts'
import { openDeckHarness } from './support/deck-harness.ts'
import { DIALOGS, PAGES, type Screen } from './support/screens.ts'

/*
 * Takes the pictures of the documentation from `purser demo`: every page and dialog, wide and narrow, light and dark.
 * `--png FOLDER` saves whole pages as PNG files instead, to look at; `--width` and `--only` choose some of them.
 */

const QUALITY = 70
const { values: flags } = parseArgs({
  options: { png: { type: 'string' }, width: { type: 'string' }, only: { type: 'string' } },
})
const folder = flags.png === undefined ? join(import.meta.dirname, '../../../docs/images/deck') : resolve(flags.png)

const VIEWPORTS = { 1440: WIDE, 390: NARROW, ...(flags.png === undefined ? {} : { 1920: { width: 1920, height: 1080 } }) }

async function takePicture(page: Page, name: string): Promise<void> {
  if (flags.png !== undefined) {
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: !name.includes('dialog') })
    return
  }
  // Playwright has no WebP, which takes a third of the bytes of PNG.
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY })
  await writeFile(join(folder, `${name}.webp`), Buffer.from(data, 'base64'))
}

async function openScreen(page: Page, base: string, { location, ready, open }: Screen): Promise<void> {
  await page.goto(`${base}/deck/${location}`)
  await page.locator(ready).first().waitFor()
  await open?.(page)
  if (open !== undefined) await page.locator('dialog[open]').waitFor()
  await page.waitForFunction(() => document.querySelector('.skeleton') === null)
}

await mkdir(folder, { recursive: true })
await using harness = await openDeckHarness({ command: 'demo' })
const screens = [...PAGES, ...DIALOGS].filter(({ name }) => new RegExp(flags.only ?? '').test(name))
for (const [width, viewport] of Object.entries(VIEWPORTS)) {
  if (flags.width !== undefined && !flags.width.split(',').includes(width)) continue
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page, context } = await harness.openDeck('#/', { viewport, colorScheme })
    for (const screen of screens) {
      await openScreen(page, harness.base, screen)
      await takePicture(page, `${screen.name}-${width}-${colorScheme}`)
      await page.goto('about:blank')
    }
    await context.close()
  }
}
