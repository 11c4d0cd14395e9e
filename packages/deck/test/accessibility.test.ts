import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { runAxe } from './support/axe.ts'
import { NARROW, noBrowser, saveScreenshot, WIDE } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

/** Location of each page, and an element that is there when it has loaded. */
const PAGES = [
  { name: 'users', location: '#/users', ready: '.user-table__link' },
  { name: 'user', location: '#/users/ada', ready: '.event' },
  { name: 'context', location: '#/users/ada?tab=context', ready: '.code-block' },
  { name: 'runtime', location: '#/users/ada?tab=runtime', ready: '.data-table' },
  { name: 'overview', location: '#/', ready: '.time-series canvas' },
  { name: 'turns', location: '#/turns', ready: '.turn-table' },
  { name: 'user-turns', location: '#/users/ada?tab=turns', ready: '.turn-table' },
  { name: 'audit', location: '#/audit', ready: '.audit-page__card' },
  { name: 'limits', location: '#/limits', ready: 'h1' },
  { name: 'settings', location: '#/settings', ready: '.settings-page__grid' },
  { name: 'instances', location: '#/instances', ready: '.limits' },
] as const

const BOTH = ['light', 'dark'] as const
const isFull = process.env.PURSER_TEST_FULL === '1'

/** Every width in both themes; by default each width and each theme once. */
const VARIANTS = [
  ['1440', WIDE, BOTH],
  ['390', NARROW, isFull ? BOTH : (['dark'] as const)],
  ['1920', { width: 1920, height: 1080 }, isFull ? BOTH : (['light'] as const)],
  ['320', { width: 320, height: 640 }, ['light'] as const],
] as const

describe('pages in light and dark, wide and narrow', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
    const ada = harness.user('ada')
    assert.equal((await ada.chat()).status, 200)
    const detection = { phase: 'awakening', riskLevel: 'medium', confidence: 0.9, peaks: { attachment: 0.75 } }
    const response = await ada.request('POST', '/detections', detection)
    assert.equal(response.status, 200, await response.text())
  })
  after(() => harness?.[Symbol.asyncDispose]())

  async function checkPages(page: Page, variant: string): Promise<void> {
    for (const { name, location, ready } of PAGES) {
      await page.goto(`${harness.base}/deck/${location}`)
      await page.locator(ready).first().waitFor()
      assert.deepEqual(await runAxe(page), [], `${name}, ${variant}`)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(overflow <= 0, `${name}, ${variant}: ${overflow} px too wide`)
      await saveScreenshot(page, `${name}-${variant}`)
    }
  }

  for (const [width, viewport, schemes] of VARIANTS) {
    for (const colorScheme of schemes) {
      it(`have no axe violations and do not overflow at ${width} px, ${colorScheme}`, async () => {
        const { page, violations } = await harness.openDeck('#/users', { viewport, colorScheme })
        await checkPages(page, `${width}-${colorScheme}`)
        assert.deepEqual(violations, [])
      })
    }
  }
})
