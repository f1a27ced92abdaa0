// The OpenAPI description of an HTTP API (3.1), made of its actions.

import * as z from "zod";
import { type Action, ERROR_CODES } from "../contract/action.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApi(title: string, version: string, actions: Readonly<Record<string, Action>>): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, action] of Object.entries(actions)) {
    paths[action.path] = { ...paths[action.path], [action.method]: operation(name, action) };
  }
  const error = {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["code", "message"],
        properties: { code: { enum: Object.keys(ERROR_CODES) }, message: { type: "string" } },
      },
    },
  };
  return {
    openapi: "3.1.0",
    info: { title, version },
    paths,
    components: {
      schemas: { Error: error },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "Over TCP; the Unix socket needs none" },
      },
    },
    security: [{ token: [] }, {}],
  };
}

/** JSON Schema of 2020-12, which is what OpenAPI 3.1 has. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

function operation(name: string, { summary, path, method, input, output }: Action): Json {
  const { properties = {}, required = [] } = schemaOf(input, "input") as {
    properties?: Readonly<Record<string, Json>>;
    required?: readonly string[];
  };
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, key]) => key as string);
  const rest = Object.keys(properties).filter((key) => !inPath.includes(key));
  const parameter = (key: string, where: "path" | "query"): Json => ({
    ...{ name: key, in: where, schema: properties[key] ?? {} },
    required: where === "path" || required.includes(key),
  });
  const body = {
    type: "object",
    properties: Object.fromEntries(rest.map((key) => [key, properties[key]])),
    required: required.filter((key) => rest.includes(key)),
  };
  const json = (schema: unknown): Json => ({ content: { "application/json": { schema } } });
  const isPost = method === "post";
  return {
    operationId: name,
    summary,
    parameters: [
      ...inPath.map((key) => parameter(key, "path")),
      ...(isPost ? [] : rest.map((key) => parameter(key, "query"))),
    ],
    ...(isPost && rest.length > 0 ? { requestBody: { required: body.required.length > 0, ...json(body) } } : {}),
    responses: {
      200: { description: "Done", ...json(schemaOf(output, "output")) },
      default: { description: "Failed: the message is one line", ...json({ $ref: "#/components/schemas/Error" }) },
    },
  };
}
