import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import type { Verification } from '../src/api/wire.ts'
import { runAxe } from './support/axe.ts'
import { NARROW, noBrowser, WIDE } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

describe('an event log that was changed in the database', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness()
    const ada = harness.user('ada')
    assert.equal((await ada.chat()).status, 200)
    for (const riskLevel of ['medium', 'high']) {
      const response = await ada.request('POST', '/detections', { phase: 'steady', riskLevel, confidence: 0.9 })
      assert.equal(response.status, 200, await response.text())
    }
    await harness.stop()
    using database = new DatabaseSync(harness.file)
    const { changes } = database
      .prepare(
        "UPDATE events SET body = replace(body, 'medium', 'low') WHERE sequence = 2 AND uid = (SELECT uid FROM users WHERE id = 'ada')",
      )
      .run()
    assert.equal(changes, 1)
    await harness.start()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('is reported with the event and the problem, on a wide and on a narrow page', async () => {
    const response = await harness.request('GET', '/users/ada/verify')
    const { ok, firstBad } = (await response.json()) as Verification
    assert.deepEqual([ok, firstBad?.sequence], [false, 2])
    const { page, violations } = await harness.openDeck('#/users/ada')
    for (const [width, size] of [
      ['1440', WIDE],
      ['390', NARROW],
    ] as const) {
      await page.setViewportSize(size)
      await page.getByRole('button', { name: 'More' }).click()
      await page.getByRole('button', { name: 'Verify the event log' }).click()
      const message = page.getByText(`The event log is broken at event 2: ${firstBad?.problem}`)
      await message.waitFor()
      assert.deepEqual(await runAxe(page), [], width)
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await message.waitFor({ state: 'detached' })
    }
    assert.deepEqual(violations, [])
  })
})
