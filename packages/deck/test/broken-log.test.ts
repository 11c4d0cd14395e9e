import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { axe } from './browser/axe.ts'
import { NARROW, noBrowser, openBrowser, openPage, picture, WIDE } from './browser/chromium.ts'
import { openPurser, type Purser } from './browser/purser.ts'

describe('a log that somebody changed in the database', { skip: noBrowser }, () => {
  let browser: Browser
  let purser: Purser

  before(async () => {
    browser = await openBrowser()
    purser = await openPurser()
    assert.equal((await purser.chat('ada')).status, 200)
    for (const riskLevel of ['medium', 'high']) {
      const answer = await purser.api('POST', '/users/ada/detections', { phase: 'steady', riskLevel, confidence: 0.9 })
      assert.equal(answer.status, 200, await answer.text())
    }
    await purser.stop()
    using database = new DatabaseSync(purser.file)
    const { changes } = database
      .prepare("UPDATE events SET body = replace(body, 'medium', 'low') WHERE sequence = 2")
      .run()
    assert.equal(changes, 1)
    await purser.start()
  })
  after(async () => {
    await browser?.close()
    await purser?.close()
  })

  it('is told with the place and the problem, on a wide and on a narrow page', async () => {
    const { page, complaints } = await openPage(browser, purser.origin)
    await page.goto(purser.link)
    await page.getByRole('link', { name: 'ada', exact: true }).click()
    for (const [width, size] of [
      ['1440', WIDE],
      ['390', NARROW],
    ] as const) {
      await page.setViewportSize(size)
      await page.getByRole('button', { name: 'More' }).click()
      await page.getByRole('button', { name: 'Verify the log' }).click()
      const told = page.getByText('The log is broken at event 2: An event was changed, or is not in its place.')
      await told.waitFor()
      assert.deepEqual(await axe(page), [], width)
      await picture(page, `broken-log-${width}`)
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await told.waitFor({ state: 'detached' })
    }
    assert.deepEqual(complaints, [])
  })
})
