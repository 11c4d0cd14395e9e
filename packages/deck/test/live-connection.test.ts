import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runAxe } from './support/axe.ts'
import { noBrowser } from './support/browser.ts'
import { openDeckHarness } from './support/deck-harness.ts'
import { openMockHarness } from './support/mock-harness.ts'

describe('live connection', { skip: noBrowser }, () => {
  it('shows that it is lost, reconnects by itself and misses nothing', async () => {
    await using harness = await openDeckHarness()
    const { page, violations } = await harness.openPage({ expectedErrors: /ERR_|Failed to load/ })
    await page.goto(harness.signInLink)
    await page.getByRole('link', { name: 'Users', exact: true }).click()
    await page.getByText('Live', { exact: true }).waitFor()
    await harness.stop()
    await page.getByText('Live connection lost.').waitFor()
    assert.deepEqual(await runAxe(page), [])
    await harness.start()
    assert.equal((await harness.user('late').chat()).status, 200)
    await page.getByRole('row', { name: /late/ }).waitFor({ timeout: 30_000 })
    await page.getByText('Live connection lost.').waitFor({ state: 'detached' })
    assert.deepEqual(violations, [])
  })

  it('shows new turns of a user as they happen, answered and refused ones', async () => {
    await using harness = await openDeckHarness({ dailyCap: 2 })
    assert.equal((await harness.user('ada').chat()).status, 200)
    const { page, violations } = await harness.openDeck('#/users/ada?tab=turns')
    await page.getByText('Live', { exact: true }).waitFor()
    const rows = page.getByRole('table', { name: 'Turns' }).locator('tbody tr')
    await rows.first().waitFor()
    for (const [status, shown] of [
      [200, 2],
      [429, 3],
    ] as const) {
      assert.equal((await harness.user('ada').chat()).status, status)
      await rows.nth(shown - 1).waitFor()
      assert.equal(await rows.count(), shown)
    }
    assert.match(await rows.first().innerText(), /refused the daily cap was reached/)
    assert.deepEqual(violations, [])
  })

  it('refetches everything after a gap in the stream', async () => {
    await using harness = await openMockHarness({ users: 12 })
    const { page, violations } = await harness.openDeck()
    await page.locator('.user-table__link').first().waitFor()
    harness.store.chat('unheard')
    harness.send('gap', {})
    await page.getByRole('row', { name: /unheard/ }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('shows what happened after the first read and before the stream', async () => {
    await using harness = await openDeckHarness()
    assert.equal((await harness.user('ada').chat()).status, 200)
    const { page, violations } = await harness.openPage({ expectedErrors: /ERR_/ })
    const read = Promise.withResolvers<void>()
    const recorded = Promise.withResolvers<void>()
    const streamed = Promise.withResolvers<void>()
    let isFirst = true
    await page.route('**/api/events/latest*', async (route) => {
      if (!isFirst) return route.continue()
      isFirst = false
      const response = await route.fetch()
      read.resolve()
      await recorded.promise
      await streamed.promise
      // The page may have given this request up by now.
      await route.fulfill({ response }).catch(() => undefined)
    })
    await page.route(/\/api\/events$/, async (route) => {
      await recorded.promise
      await route.continue()
    })
    page.on('response', (response) => {
      if (/\/api\/events$/.test(response.url())) streamed.resolve()
    })
    await page.goto(harness.signInLink)
    await read.promise
    assert.equal((await harness.user('linus').request('POST', '/detections', { phase: 'steady' })).status, 200)
    recorded.resolve()
    await page.getByRole('list', { name: 'Latest events' }).getByText('linus').first().waitFor()
    assert.deepEqual(violations, [])
  })
})
