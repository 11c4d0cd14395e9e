import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { runAxe } from './support/axe.ts'
import { noBrowser, signIn } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

describe('overview', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({ dailyCap: 2 })
    for (const id of ['ada', 'linus', 'marie']) assert.equal((await harness.user(id).chat()).status, 200)
    for (const riskLevel of ['low', 'high']) {
      await harness.user('ada').request('POST', '/detections', { phase: 'steady', riskLevel })
    }
    for (let turn = 0; turn < 3; turn++) await harness.user('linus').chat()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('lists who needs attention with a reason, the most urgent first, and opens the user', async () => {
    const { page, violations } = await harness.openDeck('#/')
    await page.getByRole('heading', { name: 'Needs attention (2)' }).waitFor()
    const items = page.locator('.attention__item')
    assert.deepEqual(await items.locator('.attention__user').allTextContents(), ['ada', 'linus'])
    assert.match(await items.nth(0).locator('.attention__reason').innerText(), /^Risk went to high just now, from low$/)
    assert.match(await items.nth(1).locator('.attention__reason').innerText(), /^At the daily cap/)
    await page.getByText('Rules', { exact: true }).click()
    await page.getByText('At 100 % of the daily cap or more: 1 user').waitFor()
    assert.deepEqual(await runAxe(page), [])
    await page.getByRole('link', { name: 'ada' }).first().click()
    await page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('has the values of each chart in a table', async () => {
    const { page } = await harness.openDeck('#/')
    const chart = page.locator('figure', { hasText: 'Turns a day' })
    await chart.locator('canvas').waitFor()
    await chart.getByRole('button', { name: 'Table' }).click()
    const row = chart.getByRole('row').last()
    await row.waitFor()
    // Two turns of linus, one of ada and one of marie; two were refused.
    assert.deepEqual((await row.locator('td').allTextContents()).slice(0, 2), ['4', '2'])
  })

  it('shows events as they happen, and waits while it is scrolled', async () => {
    const { page, violations } = await harness.openDeck('#/')
    const list = page.getByRole('list', { name: 'Latest events' })
    await list.getByRole('listitem').first().waitFor()
    for (let index = 0; index < 20; index++) {
      await harness.user(`burst-${index}`).request('POST', '/detections', { phase: 'steady' })
    }
    await list.getByText('burst-19').waitFor()
    await list.evaluate((element) => element.scrollTo({ top: 80 }))
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    await harness.user('later').request('POST', '/detections', { phase: 'steady' })
    await page.getByRole('button', { name: '1 new event, resume' }).click()
    await list.getByText('later').waitFor()
    await page.getByText('as it happens').waitFor()
    assert.deepEqual(violations, [])
  })
})

describe('turns, limits and keys', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({
      dailyCap: 1,
      config: {
        plans: { pro: { limits: [{ name: 'hourly', measure: 'tokens', max: 900, window: '1h', alertAt: [0.8] }] } },
      },
    })
    for (let turn = 0; turn < 2; turn++) await harness.user('ada').chat()
  })
  after(() => harness?.[Symbol.asyncDispose]())

  it('explain why a request was refused', async () => {
    const { page, violations } = await harness.openDeck('#/turns?outcome=refused')
    const row = page.getByRole('row', { name: /ada/ })
    await row.getByRole('button', { name: /^Why/ }).click()
    await page.getByRole('heading', { name: 'Refused: the daily cap was reached.' }).waitFor()
    await page.getByText('cap_reached').waitFor()
    assert.deepEqual(await runAxe(page), [])
    await page.keyboard.press('Escape')
    await page.getByLabel('Show').selectOption('completed')
    await row.getByRole('button', { name: /^Why/ }).click()
    await page.getByRole('heading', { name: 'Answered by demo/demo.' }).waitFor()
    assert.deepEqual(violations, [])
  })

  it('change the plan and a limit of a user, undo it, and leave both in the audit', async () => {
    const { page, violations } = await harness.openDeck('#/users/ada')
    await page.getByRole('button', { name: 'Change plan' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Plan').selectOption('pro')
    assert.deepEqual(await runAxe(page), [])
    await dialog.getByRole('button', { name: 'Change the plan' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByText(/of 900 tokens/).waitFor()
    await page.getByRole('button', { name: 'Change hourly' }).click()
    await dialog.getByLabel('Number of tokens').fill('50')
    await dialog.getByRole('textbox', { name: /Reason/ }).fill('Trial')
    await dialog.getByRole('button', { name: 'Change the limit' }).click()
    await page.getByText(/of 50 tokens/).waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText(/of 900 tokens/).waitFor()
    await page.getByRole('button', { name: 'Reset daily' }).click()
    await dialog.getByRole('textbox', { name: /Reason/ }).fill('Wrong count')
    await dialog.getByRole('button', { name: 'Reset', exact: true }).click()
    await page.getByText(/^1 left\./).waitFor()

    await page.goto(`${harness.base}/deck/#/audit?user=ada`)
    const table = page.getByRole('table', { name: 'Changes' })
    for (const text of ['Wrong count', 'Undone by operator', 'Trial', 'Plan changed']) {
      await table.getByText(text).first().waitFor()
    }
    assert.deepEqual(await runAxe(page), [])
    assert.deepEqual(violations, [])
  })

  it('show the rules of every user and of the plans, and what happens when they are reached', async () => {
    const { page } = await harness.openDeck('#/limits')
    const everyUser = page.getByRole('table', { name: 'Rules of every user' }).getByRole('row', { name: /daily/ })
    await everyUser.waitFor()
    assert.deepEqual((await everyUser.locator('td').allInnerTexts()).slice(0, 4), ['1', 'turns', 'per day', 'refused'])
    const row = page.getByRole('row', { name: /hourly/ })
    await row.waitFor()
    assert.deepEqual(await row.locator('td').allInnerTexts(), [
      '900',
      'tokens',
      '1 hour from first use',
      'refused',
      '80 %',
    ])
  })

  it('simulate another cap for every user', async () => {
    const { page, violations } = await harness.openDeck('#/limits')
    await page.getByLabel('Rules of', { exact: true }).selectOption('every user')
    await page.getByLabel('daily').fill('0')
    await page.getByRole('button', { name: 'Simulate' }).click()
    const row = page.getByRole('table', { name: 'Who would be refused' }).getByRole('row', { name: /ada/ })
    await row.waitFor()
    assert.deepEqual(await row.locator('td').last().innerText(), 'daily')
    assert.deepEqual(violations, [])
  })

  it('create a key that signs in and only reads, and revoke it', async () => {
    const { page, violations } = await harness.openDeck('#/settings')
    await page.getByRole('button', { name: 'Create a key' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('meera')
    assert.deepEqual(await runAxe(page), [])
    await dialog.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { name: 'The key meera' }).waitFor()
    const key = await dialog.locator('code').innerText()
    await dialog.getByRole('button', { name: 'Done' }).click()

    const reader = await harness.openPage()
    await reader.page.goto(`${harness.base}/deck/#/users/ada`)
    await signIn(reader.page, key)
    await reader.page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()
    assert.equal(await reader.page.getByRole('button', { name: 'Block', exact: true }).count(), 0)
    assert.equal(await reader.page.getByRole('button', { name: /^Change / }).count(), 0)
    // A dialog that an address opens is for those who may act.
    await reader.page.goto(`${harness.base}/deck/#/users/ada?do=block`)
    await reader.page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()
    assert.equal(await reader.page.getByRole('dialog').count(), 0)
    await reader.page.goto(`${harness.base}/deck/#/settings`)
    await reader.page.getByRole('heading', { name: 'Providers' }).waitFor()
    assert.equal(await reader.page.getByRole('heading', { name: 'Keys' }).count(), 0)

    await page.getByRole('button', { name: 'Revoke meera' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click()
    await page.getByRole('row', { name: /meera/ }).waitFor({ state: 'detached' })
    await reader.page.reload()
    await reader.page.getByLabel('Key', { exact: true }).waitFor()
    assert.deepEqual([...violations, ...reader.violations], [])
  })

  it('are opened from the command palette: an action on the user whose page is open', async () => {
    const { page, violations } = await harness.openDeck('#/users/ada')
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).fill('block')
    await page.getByRole('option', { name: 'Block ada Action', exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Block ada?' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Go to' }).fill('dark')
    await page.keyboard.press('Enter')
    await page.locator('html[data-theme="dark"]').waitFor()
    assert.deepEqual(violations, [])
  })

  it('show what the model is told with its receipt, and what changed', async () => {
    await harness.request('PUT', '/users/ada/profile', { body: { name: 'Ada' } })
    const { page } = await harness.openDeck('#/users/ada?tab=context')
    const table = page.getByRole('table', { name: 'Sections' })
    await table.getByRole('row', { name: /profile/ }).waitFor()
    const cells = await table
      .getByRole('row', { name: /profile/ })
      .locator('td')
      .allInnerTexts()
    assert.deepEqual([cells[0], cells[1], cells[5]], ['fresh', 'Purser’s store', 'complete'])
    await page.getByText(/name: Ada/).waitFor()
  })
})
