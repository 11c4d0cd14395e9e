import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { noBrowser, openBrowser, openPage } from '../packages/deck/test/support/browser.ts'
import { ROOT } from './support/pages.ts'

const TIMEOUT_MS = 30_000

/** Starts the example and returns the address that it prints. */
async function startExample(): Promise<{ url: string } & AsyncDisposable> {
  const child = spawn(process.execPath, ['--conditions=@purser/source', join(ROOT, 'examples', 'chat-page.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code]) => assert.fail(`The example exited with ${code}.`))
  const [line] = (await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), ended])) as [string]
  ended.catch(() => {})
  return {
    url: line.trim(),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

test('the chat page streams answers, shows what is left, and shows a refusal', { skip: noBrowser }, async () => {
  await using example = await startExample()
  const browser = await openBrowser()
  try {
    // The refusal is an answer with status 429, which the browser reports in its console.
    const { page, violations } = await openPage(browser, example.url, { expectedErrors: /429|favicon/ })
    page.setDefaultTimeout(TIMEOUT_MS)
    await page.goto(example.url)
    const left = page.getByRole('status')
    await left.getByText('3 of 3 turns left').waitFor()
    const send = async (text: string): Promise<void> => {
      await page.getByLabel('Message').fill(text)
      await page.getByRole('button', { name: 'Send' }).click()
    }
    const log = page.getByRole('log')
    await send('Hello')
    await log.getByText('You said: "Hello"').waitFor()
    await left.getByText('2 of 3 turns left').waitFor()
    // The text of a user is text, not markup.
    await send('<img src=x onerror=alert(1)>')
    await log.getByText('You said: "<img src=x onerror=alert(1)>"').waitFor()
    await left.getByText('1 of 3 turns left').waitFor()
    await send('Third')
    await left.getByText('0 of 3 turns left').waitFor()
    await send('Fourth')
    await log.getByText('Daily limit of 3 messages reached.').waitFor()
    assert.equal(await log.getByText('You said: "Fourth"').count(), 0)
    assert.deepEqual(violations, [])
  } finally {
    await browser.close()
  }
})

test('a page without a session gets no answer', async () => {
  await using example = await startExample()
  assert.equal((await fetch(new URL('purser/v1/me', example.url))).status, 401)
  const headers = { cookie: 'user=ada', 'sec-fetch-site': 'cross-site' }
  assert.equal((await fetch(new URL('purser/v1/me', example.url), { headers })).status, 401)
})
