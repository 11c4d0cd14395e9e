import assert from 'node:assert/strict'
import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { findFreePort } from '../packages/purser/test/support/free-port.ts'
import { noPostgres, ordinaryUser, sharedPostgres } from '../packages/purser/test/support/postgres-server.ts'
import { noRedis, sharedRedis } from '../packages/purser/test/support/redis-server.ts'
import { SETTINGS } from '../packages/server/src/config/settings.ts'
import {
  ADMIN_KEY,
  MAIN,
  type Purser,
  SERVICE_KEY,
  SOURCE_FLAGS,
  startPurser,
} from '../packages/server/test/support/processes.ts'

/*
 * The files under deploy/: parsed, compared with the program, and run as far as that needs no container engine.
 */

const deploy = resolve(import.meta.dirname, '..', 'deploy')
const text = (name: string): string => readFileSync(join(deploy, name), 'utf8')
const directory = mkdtempSync(join(tmpdir(), 'purser-deploy-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const KNOWN = new Set([...SETTINGS.map(({ environment }) => environment), 'PURSER_ADMIN_KEY', 'PURSER_SERVICE_KEY'])

// biome-ignore lint/suspicious/noExplicitAny: documents of other programs
type Document = Record<string, any>

function parseYaml(name: string): Document[] {
  return parseAllDocuments(text(name), { merge: true }).map((document) => {
    assert.deepEqual(document.errors, [])
    return document.toJS() as Document
  })
}

/** Instructions of a Dockerfile, with lines joined. */
function parseDockerfile(): { readonly name: string; readonly value: string }[] {
  return text('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.slice(0, line.indexOf(' ')), value: line.slice(line.indexOf(' ') + 1) }))
}

function imageEnvironment(): Record<string, string> {
  const lines = parseDockerfile().filter(({ name }) => name === 'ENV')
  const pairs = lines.flatMap(({ value }) => value.split(' ').map((pair) => pair.split('=') as [string, string]))
  return Object.fromEntries(pairs)
}

const instruction = (name: string): string => parseDockerfile().findLast((one) => one.name === name)?.value ?? ''

test('the image runs as an ordinary user, starts the command of the package without a shell, and is set up with real options', () => {
  assert.equal(instruction('USER'), 'node')
  const entry = JSON.parse(instruction('ENTRYPOINT')) as string[]
  const { bin } = JSON.parse(readFileSync(join(deploy, '../packages/server/package.json'), 'utf8'))
  assert.deepEqual(entry, ['node', join('/app/node_modules/@purser/server', bin.purser)])
  assert.deepEqual(JSON.parse(instruction('CMD')), ['serve'])
  for (const name of Object.keys(imageEnvironment())) assert.ok(name === 'NODE_ENV' || KNOWN.has(name), name)
  const scripts = JSON.parse(readFileSync(join(deploy, '../package.json'), 'utf8')).scripts
  for (const [, script = ''] of instruction('RUN').matchAll(/npm run (\w+)/g)) assert.ok(script in scripts, script)
})

test('the health check of the image is true of a server that runs, and of no other', async () => {
  const command = JSON.parse(instruction('HEALTHCHECK').replace(/^.*?CMD /, '')) as string[]
  const check = (port: string): SpawnSyncReturns<Buffer> =>
    spawnSync(process.execPath, command.slice(1), { env: { ...imageEnvironment(), PURSER_PORT: port } })
  const purser = await startPurser({ store: 'memory:' })
  const { port } = new URL(purser.url)
  // Its own process answers, so the check must not block this one.
  const running = spawn(process.execPath, command.slice(1), { env: { ...imageEnvironment(), PURSER_PORT: port } })
  assert.deepEqual((await once(running, 'exit'))[0], 0)
  assert.equal(await purser.stop(), 0, 'SIGTERM ends the server')
  assert.equal(check(port).status, 1)
})

for (const name of ['compose.sqlite.yml', 'compose.postgres.yml', 'compose.redis.yml']) {
  test(`${name} names existing files, real options and hardened services`, () => {
    const [document = {}] = parseYaml(name)
    for (const [service, options] of Object.entries(document.services as Document)) {
      for (const volume of (options.volumes ?? []) as string[]) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('./') && source !== './tls') assert.ok(existsSync(join(deploy, source)), volume)
        if (!source.startsWith('.')) assert.ok(source in document.volumes, volume)
      }
      if (options.build === undefined) continue
      assert.ok(existsSync(resolve(deploy, options.build.context, options.build.dockerfile)))
      assert.deepEqual([options.read_only, options.cap_drop], [true, ['ALL']], service)
      for (const variable of Object.keys(options.environment)) assert.ok(KNOWN.has(variable), variable)
    }
  })
}

test('the manifest of Kubernetes runs a hardened container, and its probes are routes', async () => {
  const [deployment = {}, service = {}] = parseYaml('kubernetes/purser.yml')
  const { template } = deployment.spec
  const [container] = template.spec.containers
  assert.deepEqual(service.spec.selector, template.metadata.labels)
  assert.equal(container.securityContext.readOnlyRootFilesystem, true)
  assert.equal(template.spec.securityContext.runAsNonRoot, true)
  assert.equal(container.ports[0].containerPort, Number(imageEnvironment().PURSER_PORT))
  const purser = await startPurser({ store: 'memory:' })
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
    assert.equal((await fetch(`${purser.url}${container[probe].httpGet.path}`)).status, 200, probe)
  await purser.stop()
})

/** Environment of a service of a compose file, with the values that an operator gives. */
function composeEnvironment(name: string, service: string, store?: string): Record<string, string> {
  const [document = {}] = parseYaml(name)
  const declared = document.services[service].environment as Record<string, string>
  const values = Object.entries(declared).map(([variable, value]) => [
    variable,
    value.replaceAll(/\$\{(\w+)[^}]*\}/g, (_, key: string) => OPERATOR[key] ?? ''),
  ])
  return { ...Object.fromEntries(values), ...(store === undefined ? {} : { PURSER_STORE: store }) }
}

const OPERATOR: Readonly<Record<string, string>> = {
  PURSER_ADMIN_KEY: ADMIN_KEY,
  PURSER_SERVICE_KEY: SERVICE_KEY,
  PURSER_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  PURSER_PUBLIC_URL: 'https://localhost',
  POSTGRES_PASSWORD: 'x',
  REDIS_PASSWORD: 'x',
}

/** What each manifest starts: arguments, environment, and the store that its other services would be. */
const MANIFESTS: readonly {
  readonly name: string
  readonly skip?: string | false
  readonly start: (data: string) => Promise<{ readonly args: readonly string[]; readonly env: Record<string, string> }>
}[] = [
  {
    name: 'compose.sqlite.yml',
    start: async (data) => ({
      args: JSON.parse(instruction('CMD')),
      env: { ...imageEnvironment(), ...composeEnvironment('compose.sqlite.yml', 'purser', `sqlite:${data}/purser.db`) },
    }),
  },
  {
    name: 'compose.postgres.yml',
    skip: noPostgres,
    start: async () => {
      const store = (await sharedPostgres()).url()
      const env = composeEnvironment('compose.postgres.yml', 'purser-1', store)
      return { args: JSON.parse(instruction('CMD')), env: { ...imageEnvironment(), ...env } }
    },
  },
  {
    name: 'compose.redis.yml',
    skip: noRedis,
    start: async () => {
      const env = composeEnvironment('compose.redis.yml', 'purser-2', (await sharedRedis()).url())
      return { args: JSON.parse(instruction('CMD')), env: { ...imageEnvironment(), ...env } }
    },
  },
  {
    name: 'kubernetes/purser.yml',
    skip: noPostgres,
    start: async () => {
      const [deployment = {}] = parseYaml('kubernetes/purser.yml')
      const [container] = deployment.spec.template.spec.containers
      // The secret `purser`, as the head of the file describes it.
      const secret = { ...OPERATOR, PURSER_STORE: (await sharedPostgres()).url() }
      return { args: container.args, env: { ...imageEnvironment(), ...secret } }
    },
  },
  {
    name: 'purser.service',
    start: async (data) => {
      const unit = text('purser.service')
      const [, line = ''] = /^ExecStart=\S+ (.*)$/m.exec(unit) ?? []
      const [, variables = ''] = /^Environment=(.*)$/m.exec(unit) ?? []
      const env = Object.fromEntries(variables.split(' ').map((pair) => pair.split('=') as [string, string]))
      const keys = { PURSER_ADMIN_KEY: ADMIN_KEY, PURSER_SERVICE_KEY: SERVICE_KEY }
      const store = String(env.PURSER_STORE).replace('/var/lib/purser', data)
      return { args: line.split(' '), env: { ...env, ...keys, PURSER_STORE: store } }
    },
  },
]

for (const { name, skip = false, start } of MANIFESTS) {
  const noServer = skip
  test(`the command of ${name} runs as an ordinary user in a read-only folder, and ends by SIGTERM`, {
    skip: noServer,
  }, async () => {
    const [folder, data] = ['folder', 'data'].map((part) => mkdtempSync(join(tmpdir(), `purser-${part}-`))) as [
      string,
      string,
    ]
    const user = ordinaryUser()
    if (user !== undefined) for (const path of [folder, data]) chownSync(path, user.uid, user.gid)
    chmodSync(folder, 0o555)
    const { args, env } = await start(data)
    const port = await findFreePort()
    const server = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, ...args], {
      ...user,
      cwd: folder,
      env: { PATH: process.env.PATH, ...env, PURSER_PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(server.stdout, 'data')
    assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200)
    server.kill('SIGTERM')
    assert.deepEqual((await once(server, 'exit'))[0], 0)
    assert.deepEqual(readdirSync(folder), [])
    for (const path of [folder, data]) rmSync(path, { recursive: true, force: true })
  })
}

test('the systemd unit restricts what the service may do', () => {
  const unit = text('purser.service')
  for (const line of [
    'DynamicUser=yes',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=yes',
    'PrivateTmp=yes',
    'PrivateDevices=yes',
    'CapabilityBoundingSet=',
    'RestrictNamespaces=yes',
    'SystemCallArchitectures=native',
    'UMask=0077',
  ])
    assert.match(unit, new RegExp(`^${line}$`, 'm'))
  // JavaScript is compiled at run time.
  assert.doesNotMatch(unit, /MemoryDenyWriteExecute/)
})

test('the systemd unit is valid', () => {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) return
  const path = join(directory, 'purser.service')
  // The program is not installed here.
  writeFileSync(path, text('purser.service').replace('/opt/purser/bin/purser', process.execPath))
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.ok(!stderr.includes('purser.service'), stderr)
})

test('dashboard and alert rules use metrics that the server has', async () => {
  const purser = await startPurser({ store: 'memory:' })
  const response = await fetch(`${purser.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
  const exposed = await response.text()
  await purser.stop()
  const dashboard = JSON.parse(text('grafana/purser.json')) as Document
  const panels = dashboard.panels.flatMap(({ targets }: Document) =>
    targets.map(({ expr }: Document) => expr as string),
  )
  const [rules = {}] = parseYaml('alerts.yml')
  const alerts = rules.groups.flatMap((group: Document) => group.rules.map(({ expr }: Document) => expr as string))
  assert.ok(panels.length >= 12 && alerts.length >= 6)
  for (const expression of [...panels, ...alerts]) {
    const names = expression.match(/\b(purser|nodejs|process)_[a-z0-9_]+/g) ?? []
    for (const metric of names) assert.match(exposed, new RegExp(`^# TYPE ${metric.replace(/_bucket$/, '')} `, 'm'))
  }
})

const hasNginx = spawnSync('nginx', ['-v']).status === 0
if (!hasNginx && process.env.CI === 'true') throw new Error('nginx is not installed (Debian: apt install nginx-light).')
const noNginx: string | false = hasNginx ? false : 'nginx is not installed (Debian: apt-get install nginx-light)'

describe('nginx in front of two instances', { skip: noNginx }, () => {
  test('passes streams on over TLS, and goes on when an instance ends', async () => {
    const store = `sqlite:${join(directory, 'purser.db')}`
    const instances = [await startPurser({ store }), await startPurser({ store })] as const
    const port = await findFreePort()
    const config = startFiles(port, instances)
    const nginx = spawn('nginx', ['-p', directory, '-c', config, '-g', 'daemon off;'], { stdio: 'inherit' })
    try {
      while ((await ask(port).catch(() => undefined)) === undefined) assert.equal(nginx.exitCode, null, 'nginx runs')
      const { status, body, headers } = await ask(port)
      assert.equal(status, 200)
      assert.match(String(headers['content-type']), /text\/event-stream/)
      assert.match(body, /data: \[DONE\]/)
      assert.equal(await instances[0].stop(), 0)
      for (let number = 0; number < 20; number++) assert.equal((await ask(port)).status, 200)
    } finally {
      nginx.kill('SIGTERM')
      await once(nginx, 'exit')
      await Promise.all(instances.map((instance) => instance.stop()))
    }
  })
})

/** The files of nginx with the addresses of this test; the path of the configuration. */
function startFiles(port: number, instances: readonly Purser[]): string {
  const tls = join(directory, 'tls')
  mkdirSync(tls)
  const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'rsa:2048']
  const files = ['-keyout', join(tls, 'purser.key'), '-out', join(tls, 'purser.crt')]
  execFileSync('openssl', ['req', '-x509', ...subject, ...files], { stdio: 'ignore' })
  const config = text('nginx.conf')
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace('pid /tmp/nginx.pid', `pid ${join(directory, 'nginx.pid')}`)
    .replaceAll('/etc/nginx/tls', tls)
    .replace('purser-1:7117', new URL(instances[0]?.url ?? '').host)
    .replace('purser-2:7117', new URL(instances[1]?.url ?? '').host)
  const path = join(directory, 'nginx.conf')
  writeFileSync(path, config)
  return path
}

interface Answer {
  readonly status: number | undefined
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

function ask(port: number): Promise<Answer> {
  const body = JSON.stringify({ user: 'ada', stream: true, messages: [{ role: 'user', content: 'hello' }] })
  const options = {
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/v1/chat/completions',
    rejectUnauthorized: false,
    headers: { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' },
  }
  return new Promise((settle, reject) => {
    const sent = request(options, (response) => {
      let received = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        received += part
      })
      response.on('end', () => settle({ status: response.statusCode, headers: response.headers, body: received }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
