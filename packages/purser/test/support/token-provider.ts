import type { LanguageModelSource } from '../../src/options.ts'

/** A model whose answers use as many tokens as the request asks for, `use INPUT OUTPUT`; any other request fails. */
export function createTokenProvider(): () => LanguageModelSource {
  return () => ({
    languageModel: (modelId: string) => ({
      specificationVersion: 'v4' as const,
      provider: 'local',
      modelId,
      supportedUrls: {},
      async doGenerate({ prompt }: { readonly prompt: unknown }) {
        const [, input, output] = /use (\d+) (\d+)/.exec(JSON.stringify(prompt)) ?? []
        if (input === undefined) throw new Error('no answer')
        return {
          content: [{ type: 'text' as const, text: 'x' }],
          finishReason: { unified: 'stop' as const, raw: undefined },
          usage: {
            inputTokens: { total: Number(input), noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
            outputTokens: { total: Number(output), text: undefined, reasoning: undefined },
          },
          warnings: [],
        }
      },
      async doStream(): Promise<never> {
        throw new Error('not used')
      },
    }),
  })
}
