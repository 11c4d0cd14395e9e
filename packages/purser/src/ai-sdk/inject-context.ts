import type { LanguageModelV4CallOptions, LanguageModelV4Message } from '@ai-sdk/provider'
import type { AiSdkOptions, AiSdkUser } from './ai-sdk-user.ts'

/**
 * Resolves the user's context and appends it to the last leading system message; if there is none, the context becomes
 * the first message. The application's own instructions stay a stable prefix.
 */
export async function injectContext(
  user: AiSdkUser,
  call: LanguageModelV4CallOptions,
  { mode, timeZone }: Pick<AiSdkOptions, 'mode' | 'timeZone'>,
): Promise<LanguageModelV4CallOptions> {
  const { text } = await user.context.resolve({ mode, timeZone, signal: call.abortSignal })
  return { ...call, prompt: appendToInstructions(call.prompt, text) }
}

function appendToInstructions(prompt: readonly LanguageModelV4Message[], text: string): LanguageModelV4Message[] {
  if (text === '') return [...prompt]
  const end = prompt.findIndex(({ role }) => role !== 'system')
  const index = (end === -1 ? prompt.length : end) - 1
  const instructions = prompt[index]
  if (instructions?.role !== 'system') return [{ role: 'system', content: text }, ...prompt]
  const content = instructions.content === '' ? text : `${instructions.content}\n\n${text}`
  return prompt.with(index, { ...instructions, content })
}
