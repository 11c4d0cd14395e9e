import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { add, compare, reaches, subtract, toAmount } from '../../../src/ledger/limits/amount.ts'
import { estimateUsage } from '../../../src/ledger/limits/estimate-usage.ts'
import { compileGlobs } from '../../../src/ledger/limits/glob.ts'
import { formatMoney, parseMoney } from '../../../src/ledger/limits/money.ts'
import { createLimitPolicy } from '../../../src/ledger/limits/policy.ts'
import { createPrices } from '../../../src/ledger/limits/prices.ts'
import { parseLimits } from '../../../src/ledger/limits/rule.ts'
import { seed } from '../../support/fuzz-options.ts'

const path = { path: 'ledger.limits', code: 'option_invalid' as const }
const valid = { name: 'a', measure: 'turns', max: 1, window: 'day' }

describe('limits are checked', () => {
  const CASES: readonly [unknown, string, string?][] = [
    [{ ...valid, name: '__proto__' }, 'ledger.limits[0].name'],
    [{ ...valid, name: '' }, 'ledger.limits[0].name'],
    [{ ...valid, measure: 'token' }, 'ledger.limits[0].measure', "Did you mean 'tokens'?"],
    [{ ...valid, measure: undefined }, 'ledger.limits[0].measure'],
    [{ ...valid, max: -1 }, 'ledger.limits[0].max'],
    [{ ...valid, max: 1.5 }, 'ledger.limits[0].max'],
    [{ ...valid, max: '1' }, 'ledger.limits[0].max'],
    [{ ...valid, max: undefined }, 'ledger.limits[0].max'],
    [{ ...valid, measure: 'cost', max: '1.0000000001' }, 'ledger.limits[0].max'],
    [{ ...valid, measure: 'cost', max: '-1' }, 'ledger.limits[0].max'],
    [{ ...valid, window: undefined }, 'ledger.limits[0].window'],
    [{ ...valid, window: '31d' }, 'ledger.limits[0].window'],
    [{ ...valid, window: '0m' }, 'ledger.limits[0].window'],
    [{ ...valid, window: '59s' }, 'ledger.limits[0].window'],
    [{ ...valid, window: 'rolling24h' }, 'ledger.limits[0].window'],
    [{ ...valid, window: 'daily' }, 'ledger.limits[0].window', "Did you mean 'day'?"],
    [{ ...valid, measure: 'concurrent' }, 'ledger.limits[0].window'],
    [{ ...valid, weekStart: 'monday' }, 'ledger.limits[0].window'],
    [{ ...valid, window: 'week', weekStart: 'friday' }, 'ledger.limits[0].weekStart'],
    [{ ...valid, models: [] }, 'ledger.limits[0].models'],
    [{ ...valid, models: 'openai/*' }, 'ledger.limits[0].models'],
    [{ ...valid, mode: 'watch' }, 'ledger.limits[0].mode'],
    [{ ...valid, alertAt: [0] }, 'ledger.limits[0].alertAt'],
    [{ ...valid, alertAt: 0.8 }, 'ledger.limits[0].alertAt'],
    [{ ...valid, onLimit: 'queue' }, 'ledger.limits[0].onLimit'],
    [{ ...valid, onLimit: { provider: 'x' } }, 'ledger.limits[0].onLimit'],
    [{ ...valid, name: 'daily', measure: 'tokens' }, 'ledger.limits[0]'],
    [{ ...valid, limit: 5 }, 'limit'],
  ]

  for (const [limit, param, hint] of CASES) {
    it(`${JSON.stringify(limit)} is refused at ${param}`, () => {
      assert.throws(
        () => parseLimits([limit], path),
        (error: { code: string; hint?: string; details?: { param: string } }) => {
          assert.deepEqual([error.code, error.details?.param], ['option_invalid', param])
          if (hint !== undefined) assert.equal(error.hint, hint)
          return true
        },
      )
    })
  }

  it('by name and number: at most 16 for a user, beside daily', () => {
    const many = Array.from({ length: 16 }, (_, index) => ({ ...valid, name: `r${index}` }))
    assert.equal(parseLimits(many, path).length, 16)
    assert.throws(() => parseLimits([...many, valid], path), { code: 'option_invalid' })
    assert.throws(() => parseLimits([valid, valid], path), { code: 'option_invalid' })
    const plans = { pro: { limits: [{ ...valid, name: 'extra' } as never] } }
    const options = { dailyCap: 0, window: 'day' as const, plan: undefined, limits: many as never }
    assert.throws(() => createLimitPolicy({ ...options, plans }), { code: 'option_invalid' })
  })

  it('plans extend each other without a cycle', () => {
    const options = { dailyCap: 0, window: 'day' as const, limits: [], plan: undefined }
    for (const plans of [
      { a: { extends: 'a' } },
      { a: { extends: 'b' }, b: { extends: 'a' } },
      { a: { extends: 'c' } },
    ])
      assert.throws(() => createLimitPolicy({ ...options, plans }), { code: 'option_invalid' })
    assert.throws(() => createLimitPolicy({ ...options, plans: {}, plan: 'pro' }), { code: 'option_invalid' })
  })
})

describe('globs', () => {
  it('match like the regular expression they stand for', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (glob, name) => {
        const pattern = glob
          .split('*')
          .map((part) => RegExp.escape(part))
          .join('.*')
        assert.equal(compileGlobs([glob])(name), new RegExp(`^${pattern}$`, 's').test(name))
      }),
      { seed, numRuns: 2_000 },
    )
  })
})

describe('amounts', () => {
  const integer = fc.bigInt({ min: 0n, max: 2n ** 60n })

  it('add, subtract and compare like integers of any size', () => {
    fc.assert(
      fc.property(integer, integer, (one, other) => {
        const [a, b] = [toAmount(one), toAmount(other)]
        assert.equal(add(a, b), toAmount(one + other))
        assert.equal(subtract(a, b), toAmount(one > other ? one - other : 0n))
        assert.equal(Math.sign(compare(a, b)), one === other ? 0 : one < other ? -1 : 1)
        assert.equal(reaches(a, 0.8, b), one * 10n >= other * 8n)
      }),
      { seed, numRuns: 2_000 },
    )
  })

  it('of money are decimal text and back', () => {
    fc.assert(
      fc.property(integer, (units) => {
        const text = formatMoney(toAmount(units))
        assert.equal(parseMoney(text, { name: 'max' }), toAmount(units))
        assert.match(text, /^(0|[1-9]\d*)(\.\d*[1-9])?$/)
      }),
      { seed, numRuns: 2_000 },
    )
    assert.deepEqual(
      ['0.1', '20', '0.000000001', '0'].map((text) => formatMoney(parseMoney(text, { name: 'max' }))),
      ['0.1', '20', '0.000000001', '0'],
    )
  })
})

describe('prices', () => {
  const prices = createPrices({
    'openai/*': { input: '1', output: '2' },
    'openai/gpt': { input: '2.5', output: '10', cachedInput: '0.25', cacheWrite: '3', request: '0.01' },
    '*/tiny': { input: '0.0005', output: '0' },
  })

  it('are found by an exact name first, then by globs in order', () => {
    const use = { inputTokens: 1_000_000, outputTokens: 1_000_000 }
    assert.equal(prices.costOf('openai/gpt', use), 12_510_000_000)
    assert.equal(prices.costOf('openai/tiny', use), 3_000_000_000)
    assert.equal(prices.costOf('local/tiny', use), 500_000)
    assert.equal(prices.costOf('local/other', use), null)
    assert.equal(prices.costOf(null, use), null)
  })

  it('have prices of their own for cached and written input, which are part of all input', () => {
    const use = { inputTokens: 1_000, outputTokens: 0, cachedTokens: 600, cacheWriteTokens: 300 }
    assert.equal(prices.costOf('openai/gpt', use), 10_000_000 + 100 * 2_500 + 600 * 250 + 300 * 3_000)
    const wrong = { inputTokens: 100, outputTokens: 0, cachedTokens: 5_000, cacheWriteTokens: 5_000 }
    assert.equal(prices.costOf('openai/gpt', wrong), 10_000_000 + 100 * 250)
  })

  it('are rounded once, to the nearest nano-unit', () => {
    assert.equal(prices.costOf('local/tiny', { inputTokens: 1, outputTokens: 0 }), 1)
    assert.equal(prices.costOf('local/tiny', { inputTokens: 3, outputTokens: 0 }), 2)
    assert.equal(prices.costOf('local/tiny', { inputTokens: 1_000, outputTokens: 0 }), 500)
  })

  it('are exact for large counts and prices', () => {
    const count = fc.oneof(fc.nat(10_000), fc.integer({ min: 0, max: 1_000_000_000_000 }))
    const price = fc.oneof(
      fc.constantFrom('0', '0.000000001', '1.25', '10', '9007199.254740993', '123456789012.5'),
      fc.nat(1_000_000).map((millionths) => formatMoney(millionths * 1_000)),
    )
    fc.assert(
      fc.property(
        fc.tuple(price, price, price, price, price),
        fc.tuple(count, count, count, count),
        (texts, counts) => {
          const [input, output, cachedInput, cacheWrite, request] = texts
          const [uncached, cachedTokens, cacheWriteTokens, outputTokens] = counts
          const { costOf } = createPrices({ '*': { input, output, cachedInput, cacheWrite, request } })
          const inputTokens = uncached + cachedTokens + cacheWriteTokens
          const [i, o, c, w, r] = texts.map((text) => BigInt(parseMoney(text, { name: 'price' }))) as [
            bigint,
            bigint,
            bigint,
            bigint,
            bigint,
          ]
          const [n, k, m, out] = counts.map(BigInt) as [bigint, bigint, bigint, bigint]
          const expected = r + (n * i + k * c + m * w + out * o + 500_000n) / 1_000_000n
          assert.equal(costOf('a/b', { inputTokens, outputTokens, cachedTokens, cacheWriteTokens }), toAmount(expected))
        },
      ),
      { seed, numRuns: 500 },
    )
  })

  it('are checked', () => {
    for (const price of [{}, { input: '1' }, { input: '1', output: 'x' }, { input: '1', output: '1', cached: '1' }])
      assert.throws(() => createPrices({ 'a/b': price as never }), { code: 'option_invalid' })
  })
})

describe('estimates', () => {
  const options = { outputTokens: 512, maxOutputTokens: 8_192 }

  it('divide the bytes of messages and tools by 4', () => {
    const plain = estimateUsage(
      { messages: [{ role: 'user', content: 'x'.repeat(400) }] },
      { contextTokens: 0 },
      options,
    )
    const bytes = 'role'.length + 'user'.length + 'content'.length + 400
    assert.deepEqual(plain, { inputTokens: Math.ceil(bytes / 4), outputTokens: 512 })
    const tools = [{ type: 'function', function: { name: 'é'.repeat(100) } }]
    assert.equal(
      estimateUsage({ messages: [], tools }, { contextTokens: 0 }, options).inputTokens,
      Math.ceil((4 + 8 + 8 + 4 + 200) / 4),
    )
  })

  it('count 1,000 for an image or a file, however large, and add the context', () => {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(1_000_000)}` } }
    const content = [image, { type: 'file', file: { file_data: 'A'.repeat(1_000_000) } }]
    assert.equal(estimateUsage({ messages: [{ content }] }, { contextTokens: 70 }, options).inputTokens, 2 + 2_000 + 70)
  })

  it("take the request's maximum for the output, within bounds", () => {
    const outputOf = (request: object): number =>
      estimateUsage({ messages: [], ...request }, { contextTokens: 0 }, options).outputTokens
    assert.deepEqual(
      [
        { max_tokens: 100 },
        { max_completion_tokens: 50, max_tokens: 100 },
        { max_tokens: 1e6 },
        { max_tokens: '5' },
      ].map(outputOf),
      [100, 50, 8_192, 512],
    )
  })
})
