import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { findFreePort } from '../../purser/test/support/free-port.ts'
import { noBrowser, signIn } from './support/browser.ts'
import { type DeckHarness, openDeckHarness } from './support/deck-harness.ts'

const hasNginx = spawnSync('nginx', ['-v']).status === 0
const PREFIX = '/ops/purser'

/** One server with TLS that passes the prefix on, without buffers for the stream of events. */
function nginxConfig(folder: string, port: number, upstream: string): string {
  return `
    pid ${folder}/nginx.pid;
    error_log stderr error;
    events {}
    http {
      access_log off;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${folder}/tls.crt;
        ssl_certificate_key ${folder}/tls.key;
        location ${PREFIX}/ {
          proxy_pass ${upstream};
          proxy_http_version 1.1;
          proxy_set_header connection '';
          proxy_set_header host $http_host;
          proxy_set_header x-forwarded-for $remote_addr;
          proxy_set_header x-forwarded-proto $scheme;
          proxy_buffering off;
        }
      }
    }`
}

describe('behind nginx with a prefix and TLS', { skip: noBrowser || (!hasNginx && 'nginx is not installed') }, () => {
  let harness: DeckHarness
  let nginx: ChildProcess
  let folder: string
  let base: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'purser-nginx-'))
    const port = await findFreePort()
    base = `https://localhost:${port}${PREFIX}`
    harness = await openDeckHarness({
      prefix: PREFIX,
      server: { publicUrl: `https://localhost:${port}`, trustProxy: '127.0.0.1' },
    })
    const files = ['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt')]
    const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'rsa:2048']
    execFileSync('openssl', ['req', '-x509', ...subject, ...files], { stdio: 'ignore' })
    await writeFile(join(folder, 'nginx.conf'), nginxConfig(folder, port, harness.origin))
    nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'], { stdio: 'inherit' })
    assert.equal((await harness.user('ada').chat()).status, 200)
  })
  after(async () => {
    nginx?.kill('SIGTERM')
    if (nginx !== undefined && nginx.exitCode === null) await once(nginx, 'exit')
    await harness?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  it('signs in with a secure cookie, receives live events and changes users', async () => {
    const { page, context, violations } = await harness.openPage({
      origin: new URL(base).origin,
      ignoreHTTPSErrors: true,
      expectedErrors: /ERR_CONNECTION_REFUSED/,
    })
    // Until nginx listens.
    while ((await page.goto(`${base}/deck/`).catch(() => null)) === null) assert.equal(nginx.exitCode, null)
    await signIn(page, harness.adminKey)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    const [cookie] = await context.cookies()
    assert.ok(cookie?.secure && cookie.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie))
    assert.ok(cookie.path.startsWith(PREFIX), cookie.path)
    await page.getByText('Live', { exact: true }).first().waitFor()
    await harness.user('linus').request('POST', '/detections', { phase: 'steady' })
    await page.getByRole('list', { name: 'Latest events' }).getByText('linus').first().waitFor()

    await page.goto(`${base}/deck/#/users/ada`)
    await page.getByRole('button', { name: 'Block', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: /Reason/ }).fill('Test')
    await dialog.getByRole('button', { name: /^Block/ }).click()
    await page.getByText('“Test”').first().waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('button', { name: 'Block', exact: true }).waitFor()
    assert.deepEqual(
      violations.filter((violation) => !violation.includes('ERR_')),
      [],
    )
  })
})
