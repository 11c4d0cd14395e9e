import type { LanguageModelV4CallOptions, LanguageModelV4Message } from '@ai-sdk/provider'

/** Adds text about the user to the last leading system message, or makes one: what comes before stays as it is. */
export function promptWithContext(prompt: readonly LanguageModelV4Message[], text: string): LanguageModelV4Message[] {
  if (text === '') return [...prompt]
  const ends = prompt.findIndex(({ role }) => role !== 'system')
  const place = (ends === -1 ? prompt.length : ends) - 1
  const host = prompt[place]
  if (host?.role !== 'system') return [{ role: 'system', content: text }, ...prompt]
  const content = host.content === '' ? text : `${host.content}\n\n${text}`
  return prompt.with(place, { ...host, content })
}

/** The user's parameters below the call's own. Settings hold them under AI SDK names, with one exception. */
export function withUserParameters(
  options: LanguageModelV4CallOptions,
  { reasoningEffort, providerOptions, ...parameters }: Readonly<Record<string, unknown>>,
): LanguageModelV4CallOptions {
  const below: Record<string, unknown> = {
    ...parameters,
    ...(reasoningEffort === undefined ? {} : { reasoning: reasoningEffort }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return { ...below, ...given, prompt: options.prompt }
}
