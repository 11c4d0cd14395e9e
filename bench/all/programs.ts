/** A figure of a program's output. */
export interface FigureSource {
  readonly title: string
  /** Its first group is the figure. */
  readonly pattern: RegExp
  readonly unit?: string
  /** What is wanted, for the table. */
  readonly goal?: string
}

/** A program of this directory. */
export interface Program {
  readonly name: string
  /** What is measured and how, in one sentence. */
  readonly method: string
  readonly file: string
  readonly nodeOptions?: readonly string[]
  readonly args: readonly string[]
  /** Arguments of a short run; absent: a short run leaves the program out. */
  readonly quickArgs?: readonly string[]
  /** Programs that this one needs. */
  readonly needs?: readonly string[]
  readonly figures: readonly FigureSource[]
}

/** Cell `index` (from 1) of the row of a Markdown table that begins with `name`, after a line that begins with `section`. */
function cell(section: string, name: string, index: number): RegExp {
  const skipped = '[^|\\n]*\\|'.repeat(index - 1)
  return new RegExp(`^${section}[\\s\\S]*?^\\| ${RegExp.escape(name)} \\|${skipped}\\s*([^|\\n]+?)\\s*\\|`, 'm')
}

const ON = 'Purser, everything on'
const LEAN = 'Purser, memory store, no cap'

export const PROGRAMS: readonly Program[] = [
  {
    name: 'gateway',
    method: 'chat requests by wrk to gateways in interleaved slices, the upstream answers at once',
    file: 'gateway.ts',
    args: [],
    quickArgs: ['--quick'],
    needs: ['wrk'],
    figures: [
      { title: 'requests/s, everything on, of a bare relay', pattern: cell('32 connections', ON, 6), goal: '42 %' },
      { title: 'the same, x Portkey 1.15.2 as a bare relay', pattern: cell('32 connections', ON, 7), goal: '3 x' },
      { title: 'requests/s, memory store, of a bare relay', pattern: cell('32 connections', LEAN, 6) },
      { title: 'the same, x Portkey', pattern: cell('32 connections', LEAN, 7) },
      { title: 'processor time of a request, everything on', pattern: cell('32 connections', ON, 4), unit: 'µs' },
      { title: 'of a bare relay', pattern: cell('32 connections', 'bare `node:http` and undici relay', 4), unit: 'µs' },
      { title: 'processor time of a chunk, everything on', pattern: cell('128 streams', ON, 4), unit: 'µs' },
      { title: 'of a bare relay', pattern: cell('128 streams', 'bare `node:http` and undici relay', 4), unit: 'µs' },
    ],
  },
  {
    name: 'endpoints',
    method: 'requests/s of translated and relayed endpoints, of chat completions of the same gateway',
    file: 'endpoints.ts',
    args: [],
    needs: ['wrk'],
    figures: ['responses, relayed', 'responses, translated', 'messages, relayed', 'messages, translated'].map(
      (title) => ({
        title,
        pattern: cell('', title, 4),
        goal: title.includes('relayed') ? '90 %' : '60 %',
      }),
    ),
  },
  {
    name: 'ledger',
    method: 'durable admissions and raw node:sqlite upserts of the same bytes, in interleaved slices on one disk',
    file: 'ledger.ts',
    nodeOptions: ['--import=./bench/ledger/slow-disk.ts'],
    args: [],
    quickArgs: ['1', '20000'],
    figures: [
      { title: 'rate of 64 callers, of raw', pattern: cell('', 'the same as a share of raw', 1), goal: '40 %' },
      {
        title: 'one admission, x one raw upsert',
        pattern: cell('', '`admit` of one caller relative to raw', 1),
        goal: '2.5',
      },
    ],
  },
  {
    name: 'limits',
    method: 'calls made when 100 are asked for at once and 10 are allowed; processor time of ten limits, of one',
    file: 'limits.ts',
    args: [],
    quickArgs: ['1'],
    figures: [
      {
        title: 'calls made by Purser',
        pattern: cell('', '100 parallel calls on tokens for 10: calls made by Purser', 1),
        goal: '10',
      },
      {
        title: 'by llm-spend-guard 2.0.6',
        pattern: cell('', '100 parallel calls on tokens for 10: calls made by llm-spend-guard', 1),
      },
      { title: 'ten limits in memory, x one', pattern: /`admit` in memory:.*?, ([\d.]+) \|/, goal: '1.3' },
      { title: 'ten limits in SQLite, x one', pattern: /`admit` in SQLite:.*?, ([\d.]+) \|/, goal: '1.3' },
    ],
  },
  {
    name: 'records',
    method: 'chat requests by wrk to two gateways in interleaved slices, of which one records nothing',
    file: 'records.ts',
    args: [],
    needs: ['wrk'],
    figures: [
      { title: 'throughput lost to records', pattern: /throughput lost (-?[\d.]+) %/, unit: '%', goal: '5 %' },
      { title: 'processor time added', pattern: /processor time added (-?[\d.]+) %/, unit: '%' },
    ],
  },
  {
    name: 'simulate',
    method: 'replay of recorded turns of 1,000 users under three limits, records in SQLite',
    file: 'simulate.ts',
    args: [],
    quickArgs: ['50000', '50'],
    figures: [
      { title: 'turns replayed a second', pattern: /\| turns a second \| ([\d,]+) \|/, goal: '33,334' },
      { title: 'processor time', pattern: /\| processor time \| ([\d.]+) s \|/, unit: 's' },
    ],
  },
  {
    name: 'answers',
    method: 'a cache hit of a request of 4 KB with its key, x the bare hash of the request, interleaved rounds',
    file: 'answers.ts',
    args: [],
    quickArgs: ['3'],
    figures: [
      { title: 'Purser', pattern: /^purser: lookup.*?([\d.]+) x bare/m, goal: '1.5' },
      { title: 'cacheable 2.5.0 in memory', pattern: /^cacheable.*?([\d.]+) x bare/m },
      { title: 'keyv 6.1.0 on SQLite', pattern: /^keyv.*?([\d.]+) x bare/m },
    ],
  },
  {
    name: 'answers-storing',
    method: 'processor time to store one more answer with 100 to 100,000 stored ones, largest x smallest',
    file: 'answers-storing.ts',
    args: [],
    figures: [{ title: 'growth', pattern: /within 2 x of each other\. ([\d.]+) x/, goal: '2' }],
  },
  {
    name: 'context',
    method: 'a cached context and cache libraries in one process, the same users in the same order, interleaved rounds',
    file: 'context.ts',
    args: [],
    figures: [
      { title: 'resolve, x an lru-cache fetch', pattern: /resolve is ([\d.]+) x an lru-cache fetch/ },
      {
        title: 'resolve, times as fast as bentocache getOrSet',
        pattern: /resolve is ([\d.]+) x as fast as bentocache/,
      },
    ],
  },
  {
    name: 'context-chaos',
    method: 'results for callers when the backend hangs; every library configured as its documentation advises',
    file: 'context-chaos.ts',
    args: [],
    figures: ['purser', 'bentocache', 'lru-cache fetch', 'async-cache-dedupe', 'cacheable'].map((library, index) => ({
      title: `slowest result with a budget of 300 ms: ${library}`,
      pattern: cell('', 'hung backend, 500 cold users: slowest result (budget 300 ms)', index + 1),
    })),
  },
  {
    name: 'context-prefix',
    method: 'share of the input that a prompt cache has, in 50 turns with a changing context',
    file: 'context-prefix.ts',
    args: [],
    quickArgs: [],
    figures: [
      { title: 'default', pattern: /^plain, clock on.*?([\d.]+ %)/m },
      { title: 'sections frozen for the session, no clock', pattern: /^plain, actions frozen.*?([\d.]+ %)/m },
    ],
  },
  {
    name: 'context-tokens',
    method: 'estimated tokens, x a tokenizer (o200k_base)',
    file: 'context-tokens.ts',
    args: [],
    quickArgs: [],
    figures: ['English, plain', 'Hindi, plain', 'Chinese, plain', 'JSON, plain'].map((title) => ({
      title,
      pattern: new RegExp(`^${title} .*estimate ([\\d.]+)`, 'm'),
      goal: '0.75 to 1.25',
    })),
  },
  {
    name: 'runtime',
    method: 'warm acquire and release of a runtime; memory of 10,000 live ones',
    file: 'runtime.ts',
    args: [],
    quickArgs: ['20000'],
    figures: [
      { title: 'acquire and release, p50', pattern: /round 5 +p50 +(\d+) ns/, unit: 'ns', goal: '2,000' },
      { title: '10,000 live runtimes', pattern: /10000 live runtimes +([\d.]+) MB/, unit: 'MB', goal: '60' },
    ],
  },
  {
    name: 'redis',
    method: 'commits of the driver, x the same script called by node-redis directly, interleaved slices',
    file: 'redis.ts',
    args: [],
    quickArgs: ['2'],
    needs: ['redis-server'],
    figures: [{ title: 'driver', pattern: /^ratio +([\d.]+)/m, goal: '0.7' }],
  },
  {
    name: 'stores',
    method: 'requests/s of the gateway with everything on: on Redis, x on SQLite, interleaved slices',
    file: 'stores.ts',
    args: [],
    needs: ['wrk', 'redis-server'],
    figures: [{ title: 'Redis, x SQLite', pattern: cell('', 'Redis', 3), goal: '0.7' }],
  },
  {
    name: 'listing',
    method: 'pages of 50 of a million users in every order with every filter',
    file: 'listing.ts',
    args: [],
    figures: [{ title: 'p95 of all pages', pattern: /p50 \/ p95 [\d.]+ \/ ([\d.]+) ms/, unit: 'ms', goal: '50' }],
  },
  {
    name: 'deck',
    method: 'the list of 100,000 users in Chromium on SQLite: cold start, scrolling to the end, filters',
    file: 'deck.ts',
    args: [],
    needs: ['chromium'],
    figures: [
      { title: 'first rows', pattern: /^first rows, median: (\d+) ms/m, unit: 'ms', goal: '1,000' },
      { title: 'frames a second', pattern: /^frames a second while scrolling: (\d+)/m, goal: '50' },
      { title: 'filter to rows, p95', pattern: /^filter to rows, p95: (\d+) ms/m, unit: 'ms', goal: '400' },
    ],
  },
  {
    name: 'start',
    method:
      'from the start of the process that `npm start` runs to a ready server, code compiled before; memory when idle',
    file: 'start.ts',
    args: [],
    figures: [
      { title: 'ready', pattern: cell('', 'one program, compiled', 1), unit: 'ms', goal: '1,000' },
      { title: 'resident', pattern: cell('', 'one program, compiled', 3), unit: 'MB', goal: '150' },
    ],
  },
]
