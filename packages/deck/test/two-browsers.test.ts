import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { noBrowser, signIn, type WatchedPage } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

describe('two operators', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
    for (const id of ['ada', 'linus']) assert.equal((await harness.user(id).chat()).status, 200)
  })
  after(() => harness?.[Symbol.asyncDispose]())

  /** A browser of its own, signed in with a key of its own. */
  async function openAs(name: string, location: string): Promise<WatchedPage> {
    const response = await harness.request('POST', '/keys', { body: { role: 'operator', name } })
    const { key } = (await response.json()) as { key: string }
    const watched = await harness.openPage()
    await watched.page.goto(`${harness.base}/deck/${location}`)
    await signIn(watched.page, key)
    await watched.page.getByRole('banner').waitFor()
    await watched.page.getByText('Live', { exact: true }).first().waitFor()
    return watched
  }

  async function block(page: Page, reason: string): Promise<void> {
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: /Reason/ }).fill(reason)
    await dialog.getByRole('button', { name: /^Block/ }).click()
    await dialog.waitFor({ state: 'detached' })
  }

  it('see what the other one does, without reloading, and the audit names both', async () => {
    const meera = await openAs('meera', '#/users/ada')
    const yuki = await openAs('yuki', '#/users/ada')
    const list = await openAs('tomas', '#/users')
    await list.page.getByRole('row', { name: /ada/ }).waitFor()

    await block(meera.page, 'Agreed by phone')
    await yuki.page.getByText('by meera').first().waitFor()
    await list.page.getByRole('row', { name: /ada.*Blocked/ }).waitFor()

    await yuki.page.getByRole('textbox', { name: /note/i }).fill('Called back.')
    await yuki.page
      .getByRole('button', { name: /Add|Save/ })
      .first()
      .click()
    await meera.page.getByText('Called back.').waitFor()

    await yuki.page.getByRole('button', { name: 'Unblock', exact: true }).click()
    const dialog = yuki.page.getByRole('dialog')
    await dialog.getByRole('button', { name: /^Unblock/ }).click()
    await meera.page.getByRole('button', { name: 'Block', exact: true }).waitFor()
    await list.page.getByRole('row', { name: /ada.*Blocked/ }).waitFor({ state: 'detached' })

    await list.page.goto(`${harness.base}/deck/#/audit?user=ada`)
    const table = list.page.getByRole('table', { name: 'Changes' })
    await table.getByRole('row', { name: /meera Block .*Agreed by phone/ }).waitFor()
    await table.getByRole('row', { name: /yuki Unblock/ }).waitFor()
    assert.deepEqual([...meera.violations, ...yuki.violations, ...list.violations], [])
  })
})
