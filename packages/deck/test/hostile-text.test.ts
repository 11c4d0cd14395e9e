import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { noBrowser } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

const isFull = process.env.PURSER_TEST_FULL === '1'

const MARKS = ['', '"', "'", '>', '`', '</script>', '\u202e', '\u2066', '#{7*7}', '{{7*7}}']
const PAYLOADS = [
  '<img src=x onerror=hacked()>',
  '<svg onload=hacked()>',
  '<script>hacked()</script>',
  '<iframe src="javascript:hacked()">',
  '<a href="javascript:hacked()">x</a>',
  '![x](https://evil.example/p.png)',
  '[x](javascript:hacked())',
  'javascript:hacked()',
  'data:text/html,<script>hacked()</script>',
  '<style>*{background:url(https://evil.example/x)}</style>',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<form action=https://evil.example><input autofocus onfocus=hacked()>',
  '=HYPERLINK("https://evil.example","x")',
  '+cmd|calc!A0',
  '@SUM(1+1)',
  '-2+3',
  '<math><style><img src=x onerror=hacked()>',
  '<details open ontoggle=hacked()>',
  '__proto__',
  'constructor',
  '<base href=https://evil.example/>',
  'https://evil.example/?q=<x>',
  encodeURIComponent('<script>hacked()</script>'),
  '"><img src=x onerror=hacked()>',
  `${'<b>'.repeat(40)}deep`,
]

/** Every mark before every payload; by default every seventh of them. */
const TEXTS = MARKS.flatMap((mark) => PAYLOADS.map((payload) => `${mark}${payload}`))
  .flatMap((text) => [text, `${text} `.trimEnd().toUpperCase()])
  .filter((_, index) => isFull || index % 7 === 0)

describe('hostile text', { skip: noBrowser }, () => {
  let harness: DeckHarness

  before(async () => {
    harness = await openDeckHarness({
      server: { allowPrivateWebhooks: true },
      config: {
        providers: {
          demo: { kind: 'demo' },
          '<img src=x onerror=hacked()>': { kind: 'demo', models: ['"><svg onload=hacked()>'] },
        },
        runtime: { defaults: { provider: 'demo', model: 'demo' } },
        plans: {
          '<b onclick=hacked()>': { limits: [{ name: 'tokens', measure: 'tokens', max: 9_000, window: '5h' }] },
        },
      },
    })
    for (const [index, text] of TEXTS.entries()) {
      const user = harness.user(isId(text) ? text : `user-${index}`)
      const detection = { phase: text.slice(0, 60), riskLevel: text.slice(0, 60), archetype: text.slice(0, 60) }
      await user.request('POST', '/detections', { ...detection, peaks: { [`n${text.slice(0, 40)}`]: 0.5 } })
      await user.request('POST', '/actions', { action: text.slice(0, 100) })
      await user.request('PUT', '/profile', { name: text })
      await harness.request('POST', `/users/${encodeURIComponent(user.id)}/notes`, { body: { text } })
      await chatAs(user.id, text)
      await harness.request('PUT', `/users/${encodeURIComponent(user.id)}/block`, { body: { reason: text } })
    }
    const url = `http://127.0.0.1:9/${encodeURIComponent('<img src=x onerror=hacked()>')}`
    const webhook = await harness.request('POST', '/webhooks', { body: { url } })
    assert.equal(webhook.status, 200, await webhook.text())
    await harness.request('POST', '/keys', { body: { role: 'viewer', name: '<img src=x onerror=hacked()>' } })
  })
  after(() => harness?.[Symbol.asyncDispose]())

  /** One turn with the text as question, session and model: the last one is refused, and recorded. */
  async function chatAs(user: string, text: string): Promise<void> {
    for (const model of ['auto', text]) {
      const response = await fetch(`${harness.base}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${harness.serviceKey}`,
          'content-type': 'application/json',
          'x-purser-session': encodeURIComponent(text).slice(0, 100),
        },
        body: JSON.stringify({ user, model, messages: [{ role: 'user', content: text }] }),
      })
      const body = await response.text()
      // The gateway takes no ids that look like an unfilled template.
      if (model === 'auto' && !user.includes('{{')) assert.equal(response.status, 200, body)
    }
  }

  function isId(text: string): boolean {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ids have none
    return !/[\u0000-\u001f\u007f]/.test(text) && Buffer.byteLength(text) <= 256
  }

  it(`runs on no page and asks no other origin (${TEXTS.length} texts)`, async () => {
    const { page, violations } = await harness.openDeck('#/')
    await page.evaluate(() => Object.assign(globalThis, { hacked: () => console.error('hacked') }))
    const ids = ((await (await harness.request('GET', '/users?limit=1000')).json()) as { data: { user: string }[] })
      .data
    const users = isFull ? ids : ids.filter((_, index) => index % 6 === 0)
    const pages = ['#/', '#/users', '#/turns', '#/audit', '#/settings', '#/limits', '#/instances']
    for (const location of pages) {
      await page.goto(`${harness.base}/deck/${location}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
    }
    await page.goto(`${harness.base}/deck/#/limits`)
    await page.getByLabel('tokens').fill('0')
    await page.getByRole('button', { name: 'Simulate' }).click()
    await page.locator('.what-if__result').waitFor()
    await page.goto(`${harness.base}/deck/#/turns?outcome=completed`)
    await page.getByRole('button', { name: /^Why/ }).first().click()
    await page.getByRole('dialog').waitFor()
    for (const { user } of users) {
      for (const tab of ['', '?tab=turns', '?tab=context', '?tab=runtime']) {
        await page.goto(`${harness.base}/deck/#/users/${encodeURIComponent(user)}${tab}`)
        await page.getByRole('heading', { level: 1, name: user, exact: true }).waitFor()
        await page.getByRole('tabpanel').waitFor()
      }
    }
    assert.deepEqual(
      violations.filter((violation) => !/status of 40[0-9]/.test(violation)),
      [],
    )
  })

  it('is inert in a CSV file', async () => {
    const { page } = await harness.openDeck('#/users?orderBy=id&order=asc')
    await page.locator('.user-table__link').first().waitFor()
    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Shown rows as CSV' }).click(),
    ])
    const text = (await (await download.createReadStream()).toArray()).join('')
    for (const cell of text.split(/\r\n|,/)) assert.doesNotMatch(cell, /^"?[=+@]/)
  })
})
