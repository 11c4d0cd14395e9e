import type { LanguageModelV4 } from '@ai-sdk/provider'

/** A language model that is made by its first call: importing a provider's package is not done for nothing. */
export function lazyLanguageModel(
  provider: string,
  modelId: string,
  make: () => Promise<LanguageModelV4>,
): LanguageModelV4 {
  let made: Promise<LanguageModelV4> | undefined
  const model = (): Promise<LanguageModelV4> => {
    made ??= make()
    // A package that was missing may be there at the next call.
    made.catch(() => {
      made = undefined
    })
    return made
  }
  return {
    specificationVersion: 'v4',
    provider,
    modelId,
    get supportedUrls() {
      return model().then((present) => present.supportedUrls)
    },
    doGenerate: async (options) => (await model()).doGenerate(options),
    doStream: async (options) => (await model()).doStream(options),
  }
}
