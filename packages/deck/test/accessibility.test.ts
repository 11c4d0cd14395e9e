import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { runAxe } from './support/axe.ts'
import { NARROW, noBrowser, WIDE } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'
import { openScreen, PAGES, SCREENS, type Screen } from './support/screens.ts'

const BOTH = ['light', 'dark'] as const
const isFull = process.env.PURSER_TEST_FULL === '1'
const HUGE = { width: 1920, height: 1080 }

/** Every screen at every width in both themes; by default each width once, and dialogs at one width. */
const VARIANTS = isFull
  ? ([WIDE, NARROW, HUGE].map((viewport) => [viewport, BOTH, SCREENS] as const) as readonly Variant[])
  : ([
      [WIDE, ['light'], SCREENS],
      [NARROW, ['dark'], PAGES],
      [HUGE, ['dark'], PAGES.slice(0, 2)],
      [{ width: 320, height: 640 }, ['light'], PAGES.slice(0, 4)],
    ] as const satisfies readonly Variant[])

type Variant = readonly [
  viewport: { readonly width: number; readonly height: number },
  schemes: readonly ('light' | 'dark')[],
  screens: readonly Screen[],
]

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

  for (const [viewport, schemes, screens] of VARIANTS) {
    for (const colorScheme of schemes) {
      it(`have no axe violations and do not overflow at ${viewport.width} px, ${colorScheme}`, async () => {
        const { page, context, violations } = await harness.openDeck('#/users', { viewport, colorScheme })
        await checkScreens(page, screens)
        assert.deepEqual(violations, [])
        await context.close()
      })
    }
  }
})
