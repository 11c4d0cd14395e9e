import type { LanguageModelV4CallOptions, LanguageModelV4Message } from '@ai-sdk/provider'
import type { AiSdkOptions, AiSdkUser } from './ai-sdk-user.ts'

/**
 * Resolves the user's context and appends it to the last leading system message; if there is none, the context becomes
 * the first message. The application's own instructions stay a stable prefix: behind a message with provider options,
 * such as a cache breakpoint, the context is a message of its own.
 */
export async function injectContext(
  user: AiSdkUser,
  call: LanguageModelV4CallOptions,
  { mode, timeZone, session }: Pick<AiSdkOptions, 'mode' | 'timeZone' | 'session'>,
): Promise<LanguageModelV4CallOptions> {
  const { text } = await user.context.resolve({ mode, timeZone, session, signal: call.abortSignal })
  return { ...call, prompt: appendToInstructions(call.prompt, text) }
}

function appendToInstructions(prompt: readonly LanguageModelV4Message[], text: string): LanguageModelV4Message[] {
  if (text === '') return [...prompt]
  const end = prompt.findIndex(({ role }) => role !== 'system')
  const index = (end === -1 ? prompt.length : end) - 1
  const instructions = prompt[index]
  if (instructions?.role !== 'system') return [{ role: 'system', content: text }, ...prompt]
  if (instructions.providerOptions !== undefined)
    return prompt.toSpliced(index + 1, 0, { role: 'system', content: text })
  const content = instructions.content === '' ? text : `${instructions.content}\n\n${text}`
  return prompt.with(index, { ...instructions, content })
}
