import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { createServer } from '../../packages/server/src/index.ts'
import { type McpServers, openMcpServers } from './mcp-servers.ts'
import { type Block, ROOT } from './pages.ts'

const run = promisify(execFile)
const TIMEOUT_MS = 60_000
const BIN = join(ROOT, 'node_modules', '.bin')
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'docs')

export const KEYS = { service: 'service-key-of-the-documentation', admin: 'admin-key-of-the-documentation' }
/** The address of `purser serve` in the documentation. */
export const SERVER_URL = 'http://127.0.0.1:7117'

/** Writes the programs of the documentation to files of the repository, where they find its packages, and runs them. */
export class Programs implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(ROOT, '.docs-'))
  #mcpServers: Promise<McpServers> | undefined

  constructor() {
    process.once('exit', this.#remove)
  }

  /** Runs a program in a directory of its own. Resolves to a problem with page and line, or to undefined. */
  async run(block: Block): Promise<string | undefined> {
    await using environment = await this.#openEnvironment(block)
    const file = this.#write(block, 'main.ts', environment.text)
    try {
      const { stdout } = await run(process.execPath, ['--conditions=@purser/source', file], {
        cwd: join(file, '..'),
        env: {
          PATH: `${BIN}${delimiter}${process.env.PATH}`,
          NODE_COMPILE_CACHE: COMPILE_CACHE,
          ...environment.variables,
        },
        timeout: TIMEOUT_MS,
      })
      return findDifference(block, stdout)
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      const line = Number(/main\.ts:(\d+)/.exec(stderr)?.[1] ?? 1)
      return `${locate(block, line)}: the program failed.\n${stderr}${stdout}`
    }
  }

  /** Type-checks programs together. Returns the problems with page and line. */
  async check(blocks: readonly Block[]): Promise<string[]> {
    const byName = new Map(blocks.map((block) => [nameOf(block), block]))
    const files = blocks.map((block) => this.#write(block, 'types.ts', block.text))
    const config = join(this.#directory, 'tsconfig.json')
    writeFileSync(
      config,
      JSON.stringify({ extends: '../tsconfig.base.json', compilerOptions: { noEmit: true }, files }),
    )
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const output = await run(process.execPath, [tsc, '--pretty', 'false', '-p', config]).then(
      () => '',
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
    )
    return output.split('\n').flatMap((line) => {
      const [, name = '', number, message] = /([^/]+)\/types\.ts\((\d+),\d+\): (.*)/.exec(line) ?? []
      const block = byName.get(name)
      if (block !== undefined) return [`${locate(block, Number(number))}: ${message}`]
      return line === '' ? [] : [line]
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#remove)
    this.#remove()
    await (await this.#mcpServers)?.[Symbol.asyncDispose]()
  }

  readonly #remove = (): void => rmSync(this.#directory, { recursive: true, force: true })

  #write(block: Block, name: string, text: string): string {
    const directory = join(this.#directory, nameOf(block))
    mkdirSync(directory, { recursive: true })
    const file = join(directory, name)
    // A module, also without an import: top-level `await` needs one.
    writeFileSync(file, `${text}\nexport {}\n`)
    return file
  }

  /** What the words of the opening fence ask for; see `docs.test.ts`. */
  async #openEnvironment({ text, words }: Block): Promise<Environment> {
    if (words.includes('gateway')) {
      const server = await openGateway()
      return {
        text: text.replaceAll(SERVER_URL, server.url),
        variables: { PURSER_SERVICE_KEY: KEYS.service, PURSER_ADMIN_KEY: KEYS.admin },
        [Symbol.asyncDispose]: server[Symbol.asyncDispose],
      }
    }
    if (words.includes('mcp')) {
      this.#mcpServers ??= openMcpServers()
      return { text: (await this.#mcpServers).replaceAddresses(text), variables: {}, async [Symbol.asyncDispose]() {} }
    }
    return { text, variables: {}, async [Symbol.asyncDispose]() {} }
  }
}

interface Environment extends AsyncDisposable {
  /** The program, with the addresses of the servers that run for it. */
  readonly text: string
  readonly variables: Readonly<Record<string, string>>
}

/** A server without a configuration, as after a first start. */
async function openGateway(): Promise<{ readonly url: string } & AsyncDisposable> {
  const config = { store: 'memory:', server: { port: 0, logLevel: 'silent' } }
  const server = await createServer({ config, keys: KEYS })
  return { url: await server.listen(), [Symbol.asyncDispose]: () => server.close() }
}

/**
 * Compares what a program printed with its comments `// → TEXT`, one for each line, in order. `…` in a comment stands for
 * any text, and alone in the last comment for all lines that are left.
 */
function findDifference(block: Block, stdout: string): string | undefined {
  const expected = block.text.split('\n').flatMap((line, index) => {
    const text = /\/\/ →(?: (.*))?$/.exec(line)
    return text === null ? [] : [{ line: index + 1, text: text[1] ?? '' }]
  })
  const printed = stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n')
  for (const [index, { line, text }] of expected.entries()) {
    if (!matches(printed[index], text)) {
      return `${locate(block, line)}: expected '${text}', printed '${printed[index] ?? ''}'.\n\n${stdout}`
    }
  }
  const extra = expected.at(-1)?.text === '…' ? undefined : printed[expected.length]
  return extra === undefined ? undefined : `${locate(block, 1)}: no comment expects the line '${extra}'.\n\n${stdout}`
}

function matches(printed: string | undefined, expected: string): boolean {
  const pattern = expected.split('…').map(RegExp.escape).join('.*')
  return printed !== undefined && new RegExp(`^${pattern}$`).test(printed)
}

function nameOf({ page, line }: Block): string {
  return `${page.replaceAll(/\W+/g, '-')}-${line}`
}

function locate({ page, line }: Block, lineOfBlock: number): string {
  return `${page}:${line + lineOfBlock - 1}`
}
