/** The gateway speaks OpenAI's format; the rest is the management API. */
export type Surface = 'gateway' | 'management'

/** Whether a path belongs to Anthropic's endpoints, with their error bodies. */
export function speaksAnthropic(url: string, prefix: string): boolean {
  return /^\/v1\/messages(?:[/?]|$)/.test(url.slice(prefix.length))
}

/** Whether clients of Anthropic call a path, with the key in `x-api-key`: its endpoints, and the list of models. */
export function acceptsAnthropicKey(url: string, prefix: string): boolean {
  return speaksAnthropic(url, prefix) || /^\/v1\/models(?:[/?]|$)/.test(url.slice(prefix.length))
}

/** The surface of a path, which need not be a route. `prefix` is where the server is mounted. */
export function getSurface(url: string, prefix: string): Surface {
  return /^\/v1(?:[/?]|$)/.test(url.slice(prefix.length)) ? 'gateway' : 'management'
}
