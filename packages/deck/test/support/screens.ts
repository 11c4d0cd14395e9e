import type { Page } from 'playwright-core'

/** A user of the demo whose risk has just risen. */
export const DEMO_USER = 'farah@oslo'

/** A page or dialog of the Deck, with the data of `purser demo`. */
export interface Screen {
  readonly name: string
  /** Fragment of its address. */
  readonly location: string
  /** Present when it has loaded. */
  readonly ready: string
  /** Opens what has no address. */
  open?(page: Page): Promise<void>
}

const user = `#/users/${encodeURIComponent(DEMO_USER)}`

const clickFirst = (name: RegExp) => (page: Page) => page.getByRole('button', { name }).first().click()

export const PAGES: readonly Screen[] = [
  { name: 'overview', location: '#/', ready: '.time-series canvas' },
  { name: 'users', location: '#/users', ready: '.user-table__link' },
  { name: 'users-peek', location: `#/users?peek=${encodeURIComponent(DEMO_USER)}`, ready: '.peek h2' },
  { name: 'user', location: user, ready: '.event' },
  { name: 'user-turns', location: `${user}?tab=turns`, ready: '.turn-table' },
  { name: 'user-context', location: `${user}?tab=context`, ready: '.code-block' },
  { name: 'user-runtime', location: `${user}?tab=runtime`, ready: '.data-table' },
  { name: 'turns', location: '#/turns', ready: '.turn-table' },
  { name: 'audit', location: '#/audit?action=cap,limit_change,plan_change', ready: '.audit-page__card' },
  { name: 'limits', location: '#/limits', ready: '.data-table' },
  { name: 'settings', location: '#/settings', ready: '.settings-page__grid' },
  { name: 'instances', location: '#/instances', ready: '.limits' },
]

const action = (name: string): Screen => ({
  name: `dialog-${name}`,
  location: `${user}?do=${name}`,
  ready: 'dialog[open]',
})

export const DIALOGS: readonly Screen[] = [
  { name: 'why', location: '#/turns?outcome=refused', ready: '.turn-table', open: clickFirst(/^Why/) },
  { name: 'palette', location: '#/', ready: '.attention', open: (page) => page.keyboard.press('Control+k') },
  { name: 'shortcuts', location: '#/', ready: '.attention', open: (page) => page.keyboard.press('?') },
  { name: 'change-all', location: '#/users', ready: '.user-table__link', open: clickFirst(/^Change all/) },
  { name: 'create-key', location: '#/settings', ready: '.data-table', open: clickFirst(/^Create a key/) },
  { name: 'create-webhook', location: '#/settings', ready: '.data-table', open: clickFirst(/^Create a webhook/) },
  ...['cap', 'correct', 'block', 'zone', 'evict', 'erase'].map(action),
]

export const SCREENS: readonly Screen[] = [...PAGES, ...DIALOGS]

/** Opens a screen as if its address were entered, and waits until it is complete. */
export async function openScreen(page: Page, base: string, { location, ready, open }: Screen): Promise<void> {
  await page.goto('about:blank')
  await page.goto(`${base}/deck/${location}`)
  await page.locator(ready).first().waitFor()
  await open?.(page)
  if (open !== undefined) await page.locator('dialog[open]').waitFor()
  await page.waitForFunction(() => document.querySelector('.skeleton') === null)
}
