import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page, Route } from 'playwright-core'
import { runAxe } from './support/axe.ts'
import { noBrowser, signIn } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

/** Answers as a server does whose store is down, until `recover` is called. */
async function failOn(page: Page, pattern: RegExp): Promise<{ recover(): void }> {
  let isDown = true
  await page.route(pattern, async (route: Route) => {
    if (!isDown) return route.continue()
    const error = { message: 'The store is unavailable.', code: 'store_unavailable', hint: 'It reconnects by itself.' }
    await route.fulfill({ status: 503, contentType: 'application/json', body: JSON.stringify({ error }) })
  })
  return {
    recover() {
      isDown = false
    },
  }
}

describe('an API that fails', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 5 })
    assert.equal((await harness.user('ada').chat()).status, 200)
  })
  after(() => harness?.[Symbol.asyncDispose]())

  async function openFailing(location: string, pattern: RegExp): Promise<{ page: Page; recover(): void }> {
    const { page } = await harness.openPage({ expectedErrors: /503/ })
    const { recover } = await failOn(page, pattern)
    await page.goto(`${harness.base}/deck/${location}`)
    await signIn(page, harness.adminKey)
    return { page, recover }
  }

  it('is an error in the card that needs it, also while events go on, and is gone when it answers again', async () => {
    const { page, recover } = await openFailing('#/', /\/api\/attention\?/)
    const attention = page.getByRole('region', { name: 'Needs attention' })
    // Each request is followed by an event, which would begin it anew.
    page.on('request', (request) => {
      if (new URL(request.url()).pathname.endsWith('/api/attention'))
        void harness.user('ada').request('POST', '/detections', { phase: 'p' })
    })
    await attention.getByText('The store is unavailable.').waitFor()
    await page.getByRole('region', { name: 'Refused requests' }).getByText('No request was refused.').waitFor()
    assert.deepEqual(await runAxe(page), [])
    recover()
    await attention.getByRole('button', { name: 'Try again' }).click()
    await attention.getByText('No user needs attention now.').waitFor()
  })

  it('is no empty timeline, and no figure of 0', async () => {
    const { page } = await openFailing('#/users/ada', /\/api\/users\/ada\/(events|usage|turns|limits)/)
    await page.getByRole('region', { name: 'Timeline' }).getByText('The store is unavailable.').waitFor()
    await page.getByRole('region', { name: 'Limits' }).getByText('The store is unavailable.').waitFor()
    await page.getByText('not available').first().waitFor()
    assert.equal(await page.getByText('Nothing in this period.').count(), 0)
    assert.deepEqual(await runAxe(page), [])
  })
})
