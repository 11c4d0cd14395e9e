import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Page } from 'playwright-core'
import { isFullRun, printSeed, seed } from '../../purser/test/support/fuzz-options.ts'
import { runAxe } from './support/axe.ts'
import { NARROW, noBrowser, WIDE } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'
import { openScreen, SCREENS, type Screen } from './support/screens.ts'

const THEMES = ['light', 'dark'] as const
const SIZES = [WIDE, NARROW, { width: 1920, height: 1080 }, { width: 320, height: 640 }]

interface Variant {
  readonly viewport: { readonly width: number; readonly height: number }
  readonly colorScheme: 'light' | 'dark'
  readonly screens: readonly Screen[]
}

/** Every screen at every width in both themes, or each screen once, at a width and in a theme chosen at random. */
function listVariants(): Variant[] {
  const all = SIZES.flatMap((viewport) => THEMES.map((colorScheme) => ({ viewport, colorScheme })))
  if (isFullRun) return all.map((variant) => ({ ...variant, screens: SCREENS }))
  const draws = fc.array(fc.nat(all.length - 1), { minLength: SCREENS.length, maxLength: SCREENS.length })
  const [drawn = []] = fc.sample(draws, { seed, numRuns: 1 })
  return all
    .map((variant, index) => ({ ...variant, screens: SCREENS.filter((_, screen) => drawn[screen] === index) }))
    .filter(({ screens }) => screens.length > 0)
}

printSeed('accessibility')

describe('screens in light and dark, wide and narrow', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ command: 'demo' })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  async function checkScreens(page: Page, screens: readonly Screen[]): Promise<void> {
    for (const screen of screens) {
      await openScreen(page, harness.base, screen)
      assert.deepEqual(await runAxe(page), [], screen.name)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(overflow <= 0, `${screen.name}: ${overflow} px too wide`)
    }
  }

  for (const { viewport, colorScheme, screens } of listVariants()) {
    it(`have no axe violations and do not overflow at ${viewport.width} px, ${colorScheme}`, async () => {
      const { page, context, violations } = await harness.openDeck('#/users', { viewport, colorScheme })
      await checkScreens(page, screens)
      assert.deepEqual(violations, [])
      await context.close()
    })
  }
})
