import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { axe } from './browser/axe.ts'
import { NARROW, noBrowser, openBrowser, openPage, picture, type Watched, WIDE } from './browser/chromium.ts'
import { openPurser, type Purser } from './browser/purser.ts'

describe('the Deck against a real server', { skip: noBrowser }, () => {
  let browser: Browser
  let purser: Purser
  let deck: Watched
  let page: Page

  before(async () => {
    browser = await openBrowser()
    purser = await openPurser({ dailyCap: 5 })
    deck = await openPage(browser, purser.origin)
    page = deck.page
  })
  after(async () => {
    await browser?.close()
    await purser?.close()
  })

  it('signs in by the printed link and shows how to send the first request', async () => {
    await page.goto(purser.link)
    await page.getByRole('heading', { name: 'Nobody is aboard yet' }).waitFor()
    await page.getByText(`${purser.base}/v1/chat/completions`).waitFor()
    assert.ok(!page.url().includes('token'), 'the token does not stay in the address')
    assert.deepEqual(await axe(page), [])
    await picture(page, 'empty-1440')
  })

  it('shows a user as soon as they chat, without a reload, and counts on', async () => {
    await page.evaluate(() => Object.assign(globalThis, { untouched: true }))
    assert.equal((await purser.chat('ada')).status, 200)
    const row = page.getByRole('row', { name: /ada/ })
    await row.waitFor()
    await row.getByText('1 / 5').waitFor()
    await purser.chat('ada')
    await row.getByText('2 / 5').waitFor()
    await purser.chat('grace')
    await page.getByRole('row', { name: /grace/ }).waitFor()
    await page.getByRole('status').getByText('grace is on the list now.').waitFor({ state: 'attached' })
    assert.equal(await page.evaluate(() => (globalThis as { untouched?: boolean }).untouched), true)
    await picture(page, 'users-1440')
  })

  it('opens a user by keys alone and shows the bond', async () => {
    await page.locator('body').press('/')
    await page.keyboard.type('ad')
    await page.getByRole('row', { name: /grace/ }).waitFor({ state: 'detached' })
    await page.getByRole('searchbox').blur()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()
    await page.getByRole('meter', { name: 'Used today' }).waitFor()
    assert.equal(await page.getByRole('meter').getAttribute('aria-valuetext'), '2 of 5')
    await page.getByText('3 left.').waitFor()
  })

  it('shows events as they happen, with their data', async () => {
    const detection = { phase: 'awakening', riskLevel: 'medium', archetype: 'explorer', confidence: 0.9 }
    const answer = await purser.api('POST', '/users/ada/detections', { ...detection, peaks: { attachment: 0.75 } })
    assert.equal(answer.status, 200, await answer.text())
    const entry = page.locator('details.event', { hasText: 'awakening' })
    await entry.waitFor()
    await entry.locator('summary').click()
    await entry.getByText('"to": "awakening"').waitFor()
    await page.getByRole('definition').filter({ hasText: 'explorer' }).waitFor()
    await page.getByRole('button', { name: /^Phase awakening, from/ }).waitFor()
    await page.getByRole('button', { name: /^Risk medium, from/ }).waitFor()
  })

  it('keeps a note, through the library to the log', async () => {
    await page.getByLabel('New note').fill('Called back <b>today</b>')
    await page.getByRole('button', { name: 'Add note' }).click()
    await page.locator('.note__text', { hasText: 'Called back <b>today</b>' }).waitFor()
    await page.locator('details.event', { hasText: 'note added' }).waitFor()
    await page.getByText('1 note', { exact: true }).waitFor()
  })

  it('sets a cap with a reason, takes it back, and the gateway obeys', async () => {
    await page.getByRole('button', { name: 'Set cap' }).click()
    await page.getByLabel('Messages a day').fill('2')
    await page.getByRole('textbox', { name: /Reason/ }).fill('Nights')
    await page.keyboard.press('Tab')
    await page.getByRole('button', { name: 'Set the cap' }).click()
    await page.getByText('The cap is reached.').waitFor()
    assert.equal((await purser.chat('ada')).status, 429)
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('3 left.').waitFor()
    assert.equal((await purser.chat('ada')).status, 200)
    await page.getByText('2 left.').waitFor()
  })

  it('blocks only with a reason, and lifts it again', async () => {
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Block' })
    assert.equal(await confirm.isDisabled(), true)
    assert.deepEqual(await axe(page), [])
    await page.getByRole('textbox', { name: /Reason/ }).fill('Shared account')
    await confirm.click()
    await page.locator('.user-header__block', { hasText: 'Shared account' }).waitFor()
    assert.equal((await purser.chat('ada')).status, 403)
    await page.getByRole('button', { name: 'Unblock' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Unblock' }).click()
    await page.locator('.user-header__block').waitFor({ state: 'detached' })
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal((await purser.chat('ada')).status, 200)
  })

  it('corrects what was detected, with Escape to leave and the focus back on its button', async () => {
    const button = page.getByRole('button', { name: 'Correct' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.equal(await button.evaluate((element) => element === document.activeElement), true)
    await page.keyboard.press('Enter')
    await page.getByRole('combobox', { name: 'Risk' }).fill('low')
    await page.getByRole('textbox', { name: /Reason/ }).fill('Misread')
    await page.getByRole('dialog').getByRole('button', { name: 'Correct' }).click()
    await page.locator('details.event', { hasText: 'Correction' }).waitFor()
    await page.locator('.user-header__status').getByText('low').waitFor()
  })

  it('shows context, runtime and the service, axe finding nothing in light, dark, wide and narrow', async () => {
    const screens = {
      users: '#/users',
      user: '#/users/ada',
      context: '#/users/ada?tab=context',
      runtime: '#/users/ada?tab=runtime',
      service: '#/status',
    }
    const ready = {
      users: '.user-table__link',
      user: '.event',
      context: '.context-sections',
      runtime: '.data-table',
      service: '.limits',
    }
    for (const [width, size] of [
      ['1440', WIDE],
      ['390', NARROW],
      ['320', { width: 320, height: 640 }],
    ] as const) {
      for (const colorScheme of width === '320' ? (['light'] as const) : (['light', 'dark'] as const)) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize(size)
        for (const [name, address] of Object.entries(screens)) {
          await page.goto(`${purser.base}/deck/${address}`)
          await page
            .locator(ready[name as keyof typeof ready])
            .first()
            .waitFor()
          assert.deepEqual(await axe(page), [], `${name}, ${width}, ${colorScheme}`)
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
          assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width}`)
          if (width !== '320') await picture(page, `${name}-${width}-${colorScheme}`)
        }
      }
    }
    await page.setViewportSize(WIDE)
    await page.emulateMedia({ colorScheme: 'light' })
  })

  it('verifies the log and gives everything out', async () => {
    await page.goto(`${purser.base}/deck/#/users/ada`)
    await page.getByRole('button', { name: 'More' }).click()
    assert.deepEqual(await axe(page), [])
    await page.getByRole('button', { name: 'Verify the log' }).click()
    await page.getByText(/The log is whole: \d+ events checked\./).waitFor()
    await page.getByRole('button', { name: 'More' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export everything' }).click(),
    ])
    assert.equal(await download.failure(), null)
  })

  it('erases only after the id was typed', async () => {
    await page.goto(`${purser.base}/deck/#/users/grace`)
    await page.getByRole('button', { name: 'More' }).click()
    await page.getByRole('button', { name: 'Erase…' }).click()
    const confirm = page.getByRole('button', { name: 'Erase for good' })
    await page.getByRole('textbox', { name: /Reason/ }).fill('Asked for it')
    await page.getByLabel(/^Type grace/).fill('grac')
    assert.equal(await confirm.isDisabled(), true)
    await page.getByLabel(/^Type grace/).fill('grace')
    await confirm.click()
    await page.getByRole('row', { name: /ada/ }).waitFor()
    await page.getByRole('row', { name: /grace/ }).waitFor({ state: 'detached' })
    await page.goto(`${purser.base}/deck/#/users/grace`)
    await page.getByText('Nothing is known of this user').waitFor()
  })

  it('had no error in its console and asked nobody else for anything', () => {
    assert.deepEqual(deck.complaints, [])
  })
})

describe('the Deck and hostile ids', { skip: noBrowser }, () => {
  const ids = [
    '__proto__',
    'a/b?c=d#e',
    '100%',
    '%2e%2e',
    '<img src=x onerror=alert(1)>',
    '👩‍🚀 “quoted”',
    'شخص',
    'x'.repeat(256),
  ]
  let browser: Browser
  let purser: Purser

  before(async () => {
    browser = await openBrowser()
    purser = await openPurser({ prefix: '/ops/purser' })
  })
  after(async () => {
    await browser?.close()
    await purser?.close()
  })

  it('shows each as the text it is and opens its page, mounted under a prefix', async () => {
    const { page, complaints } = await openPage(browser, purser.origin, { viewport: NARROW })
    for (const id of ids) assert.equal((await purser.chat(id)).status, 200, id)
    await page.goto(purser.link)
    for (const id of ids) {
      await page.getByRole('link', { name: id, exact: true }).click()
      await page.getByRole('heading', { level: 1, name: id, exact: true }).waitFor()
      await page.getByText('Nothing has been logged yet.').waitFor()
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false, id)
      await page.goBack()
    }
    assert.deepEqual(await axe(page), [])
    assert.deepEqual(complaints, [])
  })
})

describe('coming in', { skip: noBrowser }, () => {
  let browser: Browser
  let purser: Purser

  before(async () => {
    browser = await openBrowser()
    purser = await openPurser()
  })
  after(async () => {
    await browser?.close()
    await purser?.close()
  })

  it('lets nobody in without a key, says how to get one, and takes a key', async () => {
    const { page, complaints } = await openPage(browser, purser.origin, { expected: /401|403/ })
    await page.goto(`${purser.base}/deck/`)
    await page.getByRole('heading', { name: 'Observation Deck' }).waitFor()
    assert.deepEqual(await axe(page), [])
    await picture(page, 'sign-in')
    await page.getByLabel('Key').fill('purser_admin_wrong')
    await page.keyboard.press('Enter')
    await page.getByText('Invalid API key.').waitFor()
    await page.getByLabel('Key').fill(purser.serviceKey)
    await page.keyboard.press('Enter')
    await page.getByText('cannot sign in to the Deck').waitFor()
    await page.getByLabel('Key').fill(purser.adminKey)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Nobody is aboard yet' }).waitFor()
    assert.equal(await page.evaluate(() => document.cookie), '')
    await page.getByRole('button', { name: /^Menu of/ }).click()
    assert.deepEqual(await axe(page), [])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Key').waitFor()
    await page.reload()
    await page.getByLabel('Key').waitFor()
    assert.deepEqual(complaints, [])
  })

  it('shows a viewer everything and offers them no action', async () => {
    const made = await fetch(`${purser.base}/api/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${purser.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ role: 'viewer', name: 'watcher' }),
    })
    const { key } = (await made.json()) as { key: string }
    assert.equal((await purser.chat('seen')).status, 200)
    const { page, complaints } = await openPage(browser, purser.origin)
    await page.goto(`${purser.base}/deck/#/users/seen`)
    await page.getByLabel('Key').fill(key)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'seen' }).waitFor()
    await page.getByText('Nothing has been logged yet.').waitFor()
    const buttons = await page.locator('main').getByRole('button').allTextContents()
    assert.deepEqual(
      buttons.filter((name) => /cap|block|correct|note|erase|export|close/i.test(name)),
      [],
    )
    assert.equal(await page.getByLabel('New note').count(), 0)
    assert.deepEqual(complaints, [])
  })

  it('takes a link once and says so the second time', async () => {
    const first = await openPage(browser, purser.origin)
    await first.page.goto(purser.link)
    await first.page.locator('.header').waitFor()
    const second = await openPage(browser, purser.origin)
    await second.page.goto(purser.link)
    await second.page.getByText('used before').waitFor()
    assert.deepEqual(await axe(second.page), [])
    assert.deepEqual(second.complaints, [])
  })

  it('says when it is no longer live and comes back by itself, losing nothing', async () => {
    const { page, complaints } = await openPage(browser, purser.origin, { expected: /ERR_|Failed to load/ })
    await purser.stop()
    await purser.start()
    await page.goto(purser.link)
    await page.getByText('Live', { exact: true }).waitFor()
    await purser.stop()
    await page.getByText('The live connection is gone.').waitFor()
    assert.deepEqual(await axe(page), [])
    await purser.start()
    assert.equal((await purser.chat('late')).status, 200)
    await page.getByRole('row', { name: /late/ }).waitFor({ timeout: 30_000 })
    await page.getByText('The live connection is gone.').waitFor({ state: 'detached' })
    assert.deepEqual(complaints, [])
  })
})
