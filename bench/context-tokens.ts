/*
 * How far the estimate of tokens is from a tokenizer (OpenAI's o200k_base), for the texts that a context has, and what it
 * costs. 1.00 is exact, less is too low: a budget would be exceeded.
 */
import { encode } from 'gpt-tokenizer/encoding/o200k_base'
import { openPurser } from 'purser'
import { weigh } from '../packages/purser/src/context/render/token-weight.ts'

const VERBS = ['Opened lesson', 'Finished exercise', 'Asked about fractions in lesson', 'Bought plan']
const actions = Array.from({ length: 30 }, (_, index) => ({
  action: `${VERBS[index % 4]} ${index}`,
  at: Date.parse('2026-05-04T09:00:00Z') + index * 4_000_000,
}))
const profiles = {
  English: {
    name: 'Asha Rao',
    preferred_language: 'Hindi',
    plan: 'gold',
    about: 'has a cat and prepares for an exam in mathematics',
  },
  // cspell:disable-next-line
  Hindi: { नाम: 'आशा राव', शहर: 'पुणे', रुचि: 'गणित और विज्ञान' },
  Chinese: { 姓名: '王小明', 城市: '上海', 爱好: '数学和科学' },
  JSON: { address: { city: 'Pune', zip: '411001' }, tags: ['a', 'b', 'c'], seats: 3, id: 'a3f81c92-77de-4b1f' },
}

await using purser = await openPurser({ store: 'memory:' })
for (const [name, profile] of Object.entries(profiles)) {
  const user = purser.user(name)
  await user.profile.put(profile)
  if (name === 'English') await user.actions.record(actions)
  for (const mode of name === 'English' ? (['plain', 'reuse', 'create'] as const) : (['plain'] as const)) {
    const { text, tokens } = await user.context.resolve({ mode })
    const exact = encode(text).length
    const ratio = (estimate: number): string => (estimate / exact).toFixed(2)
    console.log(
      `${`${name}, ${mode}`.padEnd(20)} ${String(exact).padStart(5)} tokens   estimate ${ratio(tokens)}   bytes / 4 ${ratio(Buffer.byteLength(text) / 4)}`,
    )
  }
}

const { text } = await purser.user('English').context.resolve({ mode: 'reuse' })
for (const [name, count] of [
  ['estimate', weigh],
  ['tokenizer', (input: string) => encode(input).length],
] as const) {
  const rounds = 2_000
  for (let round = 0; round < rounds / 10; round++) count(text)
  const startedAt = process.cpuUsage()
  for (let round = 0; round < rounds; round++) count(text)
  const { user, system } = process.cpuUsage(startedAt)
  console.log(
    `${name.padEnd(20)} ${((user + system) / rounds / (text.length / 1_024)).toFixed(1)} µs a KiB, once for each rendering`,
  )
}
