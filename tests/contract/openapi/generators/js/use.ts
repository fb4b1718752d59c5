// Compiled, never run: what a merchant's program in TypeScript says, with the types made from /openapi.json.
import type { components, operations, paths } from "./api";

type Initialize = operations["payments_initialize"];
type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : never;
type Answer<O, S> = O extends { responses: infer R }
  ? S extends keyof R
    ? R[S] extends { content: { "application/json": infer B } } ? B : never
    : never
  : never;

export const request: Body<Initialize> = {
  provider: "mpesa",
  amount: "1000.00",
  currency: "KES",
  customer: { phone: "+254700000000", email: "customer@example.com", name: "John Doe" },
  metadata: { order_id: "ORD-12345" },
};

export const header: Initialize["parameters"]["header"] = { "Idempotency-Key": "a key" };

// @ts-expect-error the key is required
export const noHeader: Initialize["parameters"]["header"] = {};

export function paymentPage(answer: Answer<Initialize, 201>): string | null {
  return answer.data.payment_url;
}

export function refusal(answer: Answer<Initialize, 402>): string {
  return answer.error + answer.data.status;
}

export function isOutOfMoney(answer: Answer<operations["wallet_payments_create"], 400>): boolean {
  return answer.error.code === "INSUFFICIENT_BALANCE";
}

export const status: components["schemas"]["Transaction"]["status"] = "partially_refunded";

export type Deposit = paths["/api/v1/accounts/{wallet_id}/deposit"]["post"];
