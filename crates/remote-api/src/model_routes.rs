//! `/api/model/*`: solve, export, import and chart, each behind a scope of its own.

use api_guard::{RequiredScope, Scoped};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde::Serialize;

use crate::{
    answers::{Refusal, json_body},
    model::{Model, ModelStore},
};

pub(crate) struct WriteSolve;
pub(crate) struct ReadExport;
pub(crate) struct WriteImport;
pub(crate) struct ReadChart;

impl RequiredScope for WriteSolve {
    const TOKEN: &'static str = "write:solve";
}

impl RequiredScope for ReadExport {
    const TOKEN: &'static str = "read:export";
}

impl RequiredScope for WriteImport {
    const TOKEN: &'static str = "write:import";
}

impl RequiredScope for ReadChart {
    const TOKEN: &'static str = "read:chart";
}

#[derive(Serialize)]
struct Solved<'a> {
    name: &'a str,
    variables: &'a [String],
    solution: &'a [f64],
    residual: f64,
    condition: f64,
}

#[derive(Serialize)]
struct Imported<'a> {
    name: &'a str,
    size: usize,
}

#[derive(Serialize)]
struct Chart<'a> {
    title: &'a str,
    x: Axis<'a>,
    series: [Series<'a>; 2],
}

#[derive(Serialize)]
struct Axis<'a> {
    label: &'static str,
    values: &'a [String],
}

#[derive(Serialize)]
struct Series<'a> {
    name: &'static str,
    values: &'a [f64],
}

/// Solves the posted system, or without a body the caller's model.
pub(crate) async fn solve(
    scoped: Scoped<WriteSolve>,
    State(models): State<ModelStore>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    Ok(match json_body(&headers, body)? {
        None => solved(&models.of(scoped.token.subject())),
        Some(document) => solved(&Model::parse(&document).map_err(Refusal::BadModel)?),
    })
}

/// The caller's model.
pub(crate) async fn export(
    scoped: Scoped<ReadExport>,
    State(models): State<ModelStore>,
) -> Response {
    let model = models.of(scoped.token.subject());
    Json(model.document()).into_response()
}

/// Replaces the caller's model.
pub(crate) async fn import(
    scoped: Scoped<WriteImport>,
    State(models): State<ModelStore>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let document = json_body(&headers, body)?.ok_or(Refusal::NotJson)?;
    let model = Model::parse(&document).map_err(Refusal::BadModel)?;
    let answer = Imported {
        name: model.name(),
        size: model.system().size(),
    };
    let answer = Json(answer).into_response();
    models.import(scoped.token.subject(), model);
    Ok(answer)
}

/// What a plot of the caller's model shows: the solution beside the right-hand side.
pub(crate) async fn chart(scoped: Scoped<ReadChart>, State(models): State<ModelStore>) -> Response {
    let model = models.of(scoped.token.subject());
    Json(Chart {
        title: model.name(),
        x: Axis {
            label: "Variable",
            values: model.variables(),
        },
        series: [
            Series {
                name: "Solution",
                values: &model.solution().values,
            },
            Series {
                name: "Right-hand side",
                values: model.system().rhs(),
            },
        ],
    })
    .into_response()
}

fn solved(model: &Model) -> Response {
    let solution = model.solution();
    Json(Solved {
        name: model.name(),
        variables: model.variables(),
        solution: &solution.values,
        residual: solution.residual,
        condition: solution.condition,
    })
    .into_response()
}
