import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedWebhook {
  readonly headers: Record<string, string>
  readonly id: string
  readonly body: string
  /** The event in the body. */
  readonly event: { readonly id: string; readonly user: string; readonly sequence: number; readonly type: string }
}

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string
  readonly received: ReceivedWebhook[]
  /** Answers a request; tests replace it. Default: 204. */
  answer(response: ServerResponse, webhook: ReceivedWebhook): void
  /** Resolves when `count` webhooks were received. */
  receive(count: number): Promise<void>
}

/** A receiver of webhooks on a port of this machine. */
export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  const waiting: { readonly count: number; resolve(): void }[] = []
  const receiver: WebhookReceiver = {
    url: '',
    received: [],
    answer: (response) => response.writeHead(204).end(),
    receive: (count) =>
      new Promise((resolve) => {
        if (receiver.received.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer(async (request, response) => {
    const webhook = await readWebhook(request)
    receiver.received.push(webhook)
    for (const { count, resolve } of waiting) if (receiver.received.length >= count) resolve()
    receiver.answer(response, webhook)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return Object.assign(receiver, { url })
}

async function readWebhook(request: IncomingMessage): Promise<ReceivedWebhook> {
  const body = (await Array.fromAsync(request)).join('')
  const headers = request.headers as Record<string, string>
  return { headers, body, id: headers['webhook-id'] ?? '', event: JSON.parse(body).data }
}
