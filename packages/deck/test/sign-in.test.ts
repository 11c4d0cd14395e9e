import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { runAxe } from './support/axe.ts'
import { noBrowser, signIn } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

describe('sign-in', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  /** The message with which the server rejects a sign-in. */
  async function rejectionOf(key: string): Promise<string> {
    const response = await fetch(`${harness.base}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key }),
    })
    assert.ok(response.status === 401 || response.status === 403)
    const { error } = (await response.json()) as { error: { message: string } }
    return error.message
  }

  it('asks for a key, shows why one is rejected, and signs out', async () => {
    const { page, violations } = await harness.openPage({ expectedErrors: /401|403/ })
    await page.goto(`${harness.base}/deck/`)
    await page.getByRole('heading', { name: 'Observation Deck' }).waitFor()
    await page.getByText('npx purser keys create --role operator').waitFor()
    assert.deepEqual(await runAxe(page), [])
    for (const key of ['purser_admin_wrong', harness.serviceKey]) {
      await signIn(page, key)
      await page
        .getByRole('alert')
        .getByText(await rejectionOf(key))
        .waitFor()
    }
    await signIn(page, harness.adminKey)
    await page.getByRole('heading', { name: 'No users yet' }).waitFor()
    assert.equal(await page.evaluate(() => document.cookie), '')
    await page.getByRole('button', { name: /^Account menu/ }).click()
    assert.deepEqual(await runAxe(page), [])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Key', { exact: true }).waitFor()
    await page.reload()
    await page.getByLabel('Key', { exact: true }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('accepts a link once and rejects it the second time', async () => {
    const first = await harness.openPage()
    await first.page.goto(harness.signInLink)
    await first.page.getByRole('banner').waitFor()
    const second = await harness.openPage()
    await second.page.goto(harness.signInLink)
    await second.page.getByText('already used').waitFor()
    assert.deepEqual(await runAxe(second.page), [])
    assert.deepEqual([...first.violations, ...second.violations], [])
  })

  it('says that a session has ended while the page is open, and returns to the page', async () => {
    assert.equal((await harness.user('grace').chat()).status, 200)
    const { page, context, violations } = await harness.openPage({ expectedErrors: /401/ })
    await page.goto(`${harness.base}/deck/#/users/grace`)
    await signIn(page, harness.adminKey)
    await page.getByRole('heading', { level: 1, name: 'grace' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await context.clearCookies()
    // The next thing that the page reads is refused.
    assert.equal((await harness.user('grace').chat()).status, 200)
    await page.getByRole('alert').getByText('You are signed out.').waitFor()
    assert.deepEqual(await runAxe(page), [])
    await signIn(page, harness.adminKey)
    await page.getByRole('heading', { level: 1, name: 'grace' }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('shows a viewer everything, but no actions', async () => {
    const response = await harness.request('POST', '/keys', { body: { role: 'viewer', name: 'watcher' } })
    const { key } = (await response.json()) as { key: string }
    assert.equal((await harness.user('seen').chat()).status, 200)
    const { page, violations } = await harness.openPage()
    await page.goto(`${harness.base}/deck/#/users/seen`)
    await signIn(page, key)
    await page.getByRole('heading', { level: 1, name: 'seen' }).waitFor()
    await page.getByText('No events yet.').waitFor()
    const buttons = await page.locator('main').getByRole('button').allTextContents()
    assert.deepEqual(
      buttons.filter((name) => /cap|block|correct|note|erase|export|close/i.test(name)),
      [],
    )
    assert.equal(await page.getByLabel('New note').count(), 0)
    assert.deepEqual(violations, [])
  })
})
