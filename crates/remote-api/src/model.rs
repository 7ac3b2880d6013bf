//! The model that the demonstration API works on: a named system of linear equations.
//! [`Model::parse`] is the only way from JSON to a [`Model`]; it lists every problem of a
//! document, not the first alone. Nothing here knows of HTTP.

mod linear_system;
mod store;

use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::linear_system::{LARGEST_SIZE, LinearSystem, Singular, Solution};
pub(crate) use self::store::{CAPACITY, ModelStore};

/// Keeps products of entries far from overflow.
const LARGEST_NUMBER: f64 = 1e12;
const LONGEST_NAME: usize = 100;
const LONGEST_VARIABLE: usize = 40;
/// A document of nothing but mistakes must not make an endless answer.
const MOST_PROBLEMS: usize = 50;
const FIELDS: [&str; 4] = ["name", "variables", "matrix", "rhs"];
const DEFAULT_NAME: &str = "Untitled model";

/// A model that parsed. It can be solved: singular ones are refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    name: String,
    variables: Vec<String>,
    system: LinearSystem,
    solution: Solution,
}

/// The model as JSON, in the form that [`Model::parse`] reads.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    name: &'a str,
    variables: &'a [String],
    matrix: &'a [Vec<f64>],
    rhs: &'a [f64],
}

impl Model {
    /// Temperature along a rod of ten pieces that is heated from within, its ends kept at
    /// 20 and 60 degrees.
    pub(crate) fn example() -> Self {
        const PIECES: usize = 10;
        let row = |piece: usize| {
            let entry = |other: usize| match piece.abs_diff(other) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            };
            (0..PIECES).map(entry).collect()
        };
        let heat = |piece: usize| match piece {
            0 => 4.0 + 20.0,
            9 => 4.0 + 60.0,
            _ => 4.0,
        };
        let variables = (1..=PIECES).map(|piece| format!("T{piece}"));
        LinearSystem::new(
            (0..PIECES).map(row).collect(),
            (0..PIECES).map(heat).collect(),
        )
        .and_then(|system| {
            let solution = system.solve().ok()?;
            Some(Self {
                name: "Heat in a rod".to_owned(),
                variables: variables.collect(),
                system,
                solution,
            })
        })
        .unwrap_or_else(|| unreachable!("the example is square and diagonally dominant"))
    }

    /// Reads a document with `matrix` and `rhs`, and optionally `name` and `variables`.
    ///
    /// # Errors
    /// One line for each problem, with the place in the document.
    pub(crate) fn parse(document: &Value) -> Result<Self, Vec<String>> {
        let mut problems = Problems::default();
        let Some(document) = document.as_object() else {
            return Err(vec!["the model is not a JSON object".to_owned()]);
        };
        problems.unknown_fields(document);
        let name = problems.name(document.get("name"));
        let matrix = problems.matrix(document.get("matrix"));
        let rhs = problems.numbers("rhs", document.get("rhs"), matrix.len());
        let variables = problems.variables(document.get("variables"), matrix.len());
        if !problems.is_empty() {
            return Err(problems.into_lines());
        }
        let unfit = || vec!["matrix: is not square".to_owned()];
        let system = LinearSystem::new(matrix, rhs).ok_or_else(unfit)?;
        let solution = system
            .solve()
            .map_err(|singular: Singular| vec![format!("matrix: {singular}")])?;
        Ok(Self {
            name,
            variables,
            system,
            solution,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn variables(&self) -> &[String] {
        &self.variables
    }

    pub(crate) fn system(&self) -> &LinearSystem {
        &self.system
    }

    pub(crate) fn solution(&self) -> &Solution {
        &self.solution
    }

    pub(crate) fn document(&self) -> Document<'_> {
        Document {
            name: &self.name,
            variables: &self.variables,
            matrix: self.system.matrix(),
            rhs: self.system.rhs(),
        }
    }
}

/// Collects what is wrong and goes on; what it returns is fit only if it stayed empty.
#[derive(Default)]
struct Problems {
    lines: Vec<String>,
    more: usize,
}

impl Problems {
    fn add(&mut self, line: impl Into<String>) {
        if self.lines.len() < MOST_PROBLEMS {
            self.lines.push(line.into());
        } else {
            self.more += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("… and {} more", self.more));
        }
        self.lines
    }

    fn unknown_fields(&mut self, document: &Map<String, Value>) {
        let unknown = document
            .keys()
            .filter(|key| !FIELDS.contains(&key.as_str()));
        for key in unknown {
            let shown: String = key.chars().take(LONGEST_VARIABLE).collect();
            self.add(format!("{shown:?}: is no field of a model"));
        }
    }

    fn name(&mut self, value: Option<&Value>) -> String {
        match value {
            None => DEFAULT_NAME.to_owned(),
            Some(value) => self.text("name", value, LONGEST_NAME),
        }
    }

    fn text(&mut self, place: &str, value: &Value, longest: usize) -> String {
        let text = value.as_str().unwrap_or_default().trim();
        let fits = !text.is_empty()
            && text.chars().count() <= longest
            && !text.chars().any(char::is_control);
        if !fits {
            self.add(format!(
                "{place}: must be a text of 1 to {longest} characters"
            ));
        }
        text.to_owned()
    }

    fn matrix(&mut self, value: Option<&Value>) -> Vec<Vec<f64>> {
        let rows = match value.and_then(Value::as_array) {
            Some(rows) if (1..=LARGEST_SIZE).contains(&rows.len()) => rows,
            _ => {
                self.add(format!(
                    "matrix: must be a list of 1 to {LARGEST_SIZE} rows"
                ));
                return Vec::new();
            }
        };
        let numbered = rows.iter().enumerate();
        numbered
            .map(|(index, row)| self.numbers(&format!("matrix[{index}]"), Some(row), rows.len()))
            .collect()
    }

    /// `size` 0 stands for a matrix that is itself no list: its size says nothing then.
    fn numbers(&mut self, place: &str, value: Option<&Value>, size: usize) -> Vec<f64> {
        let Some(values) = value.and_then(Value::as_array) else {
            self.add(format!("{place}: must be a list of numbers"));
            return Vec::new();
        };
        if size > 0 && values.len() != size {
            let found = values.len();
            self.add(format!(
                "{place}: has {found} entries, the matrix has {size} rows"
            ));
        }
        let numbered = values.iter().take(LARGEST_SIZE).enumerate();
        numbered
            .filter_map(|(index, value)| self.number(&format!("{place}[{index}]"), value))
            .collect()
    }

    fn number(&mut self, place: &str, value: &Value) -> Option<f64> {
        let number = value
            .as_f64()
            .filter(|number| number.abs() <= LARGEST_NUMBER);
        if number.is_none() {
            self.add(format!(
                "{place}: must be a number of at most {LARGEST_NUMBER:e}"
            ));
        }
        number
    }

    fn variables(&mut self, value: Option<&Value>, size: usize) -> Vec<String> {
        let Some(value) = value else {
            return (1..=size).map(|index| format!("x{index}")).collect();
        };
        let Some(values) = value.as_array() else {
            self.add("variables: must be a list of names");
            return Vec::new();
        };
        if size > 0 && values.len() != size {
            let found = values.len();
            self.add(format!(
                "variables: has {found} names, the matrix has {size} rows"
            ));
        }
        let mut names: Vec<String> = Vec::new();
        for (index, value) in values.iter().take(LARGEST_SIZE).enumerate() {
            let place = format!("variables[{index}]");
            let name = self.text(&place, value, LONGEST_VARIABLE);
            if !name.is_empty() && names.contains(&name) {
                self.add(format!("{place}: appears twice"));
            }
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_system_alone_is_a_model() {
        let model = Model::parse(&json!({"matrix": [[2, 0], [0, 4]], "rhs": [2, 2]})).unwrap();
        assert_eq!(model.variables(), ["x1", "x2"]);
        assert_eq!(model.solution().values, [1.0, 0.5]);
    }

    #[test]
    fn an_exported_model_imports_as_itself() {
        let model = Model::example();
        let document = serde_json::to_value(model.document()).unwrap();
        assert_eq!(Model::parse(&document).unwrap(), model);
    }

    #[test]
    fn the_example_rises_from_one_end_to_the_other() {
        let model = Model::example();
        let values = &model.solution().values;
        assert!(values[0] > 20.0 && values[9] > 60.0, "{values:?}");
    }

    #[test]
    fn all_problems_are_listed_with_their_places() {
        let problems = Model::parse(&json!({
            "name": "", "variables": ["a", "a", 7], "colour": "blue",
            "matrix": [[1, 2, 3], [1, "x"], {"a": 1}], "rhs": [1, 2e300],
        }))
        .unwrap_err();
        assert_eq!(
            problems,
            [
                r#""colour": is no field of a model"#,
                "name: must be a text of 1 to 100 characters",
                "matrix[1]: has 2 entries, the matrix has 3 rows",
                "matrix[1][1]: must be a number of at most 1e12",
                "matrix[2]: must be a list of numbers",
                "rhs: has 2 entries, the matrix has 3 rows",
                "rhs[1]: must be a number of at most 1e12",
                "variables[1]: appears twice",
                "variables[2]: must be a text of 1 to 40 characters",
            ]
        );
    }

    #[test]
    fn what_is_no_model_at_all_is_refused() {
        for document in [json!(null), json!([]), json!("x"), json!(1)] {
            assert_eq!(Model::parse(&document).unwrap_err().len(), 1, "{document}");
        }
        assert_eq!(
            Model::parse(&json!({})).unwrap_err(),
            [
                "matrix: must be a list of 1 to 50 rows",
                "rhs: must be a list of numbers"
            ]
        );
    }

    #[test]
    fn a_singular_matrix_is_a_problem_of_the_matrix() {
        let document = json!({"matrix": [[1, 2], [2, 4]], "rhs": [1, 2]});
        let problems = Model::parse(&document).unwrap_err();
        assert!(
            problems[0].starts_with("matrix: is singular"),
            "{problems:?}"
        );
    }

    #[test]
    fn size_and_number_of_problems_are_bounded() {
        let row = vec![json!("x"); LARGEST_SIZE];
        let document = json!({"matrix": vec![row; LARGEST_SIZE], "rhs": vec![0; LARGEST_SIZE]});
        let problems = Model::parse(&document).unwrap_err();
        assert_eq!(problems.len(), MOST_PROBLEMS + 1);
        assert_eq!(problems[MOST_PROBLEMS], "… and 2450 more");
        let large = json!({"matrix": vec![vec![1; 51]; 51], "rhs": vec![1; 51]});
        assert!(Model::parse(&large).unwrap_err()[0].contains("1 to 50 rows"));
    }
}
