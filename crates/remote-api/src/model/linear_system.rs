//! Solves a system of linear equations, and says how far the answer can be trusted. It
//! judges no JSON: a [`LinearSystem`] is square and finite by construction.

/// More unknowns than anybody posts by hand; one request must stay cheap.
pub(crate) const LARGEST_SIZE: usize = 50;
/// Beyond this an answer in `f64` has fewer than four digits that mean anything.
const LARGEST_CONDITION: f64 = 1e12;

/// `matrix · x = rhs`, square, with 1 to [`LARGEST_SIZE`] unknowns and finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinearSystem {
    matrix: Vec<Vec<f64>>,
    rhs: Vec<f64>,
}

/// The answer, with the means to judge it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Solution {
    pub(crate) values: Vec<f64>,
    /// Largest absolute entry of `matrix · x - rhs`.
    pub(crate) residual: f64,
    /// 1-norm condition number: how much an error in `rhs` may grow.
    pub(crate) condition: f64,
}

/// The equations have no single answer that `f64` could hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is singular, or so nearly that an answer would mean nothing")]
pub(crate) struct Singular;

impl LinearSystem {
    /// `None` unless the shape is as this type promises.
    pub(crate) fn new(matrix: Vec<Vec<f64>>, rhs: Vec<f64>) -> Option<Self> {
        let size = matrix.len();
        let fits = (1..=LARGEST_SIZE).contains(&size)
            && rhs.len() == size
            && matrix.iter().all(|row| row.len() == size)
            && matrix.iter().flatten().chain(&rhs).all(|x| x.is_finite());
        fits.then_some(Self { matrix, rhs })
    }

    pub(crate) fn size(&self) -> usize {
        self.rhs.len()
    }

    pub(crate) fn matrix(&self) -> &[Vec<f64>] {
        &self.matrix
    }

    pub(crate) fn rhs(&self) -> &[f64] {
        &self.rhs
    }

    /// Gaussian elimination with partial pivoting.
    pub(crate) fn solve(&self) -> Result<Solution, Singular> {
        let factors = Factors::of(&self.matrix).ok_or(Singular)?;
        let condition = one_norm(&self.matrix) * one_norm(&factors.inverse());
        // Not a number where the elimination overflowed: that is no answer either.
        if condition.is_nan() || condition > LARGEST_CONDITION {
            return Err(Singular);
        }
        let values = factors.solve(&self.rhs);
        let residual = self.residual(&values);
        if residual.is_finite() {
            Ok(Solution {
                values,
                residual,
                condition,
            })
        } else {
            Err(Singular)
        }
    }

    fn residual(&self, values: &[f64]) -> f64 {
        let differences = self.matrix.iter().zip(&self.rhs);
        differences
            .map(|(row, rhs)| (dot(row, values) - rhs).abs())
            .fold(0.0, worst)
    }
}

/// `P · A = L · U`; both triangles share the rows, the ones of `L` are left out.
struct Factors {
    rows: Vec<Vec<f64>>,
    order: Vec<usize>,
}

impl Factors {
    /// `None` if a column has no pivot at all.
    fn of(matrix: &[Vec<f64>]) -> Option<Self> {
        let size = matrix.len();
        let mut rows = matrix.to_vec();
        let mut order: Vec<usize> = (0..size).collect();
        for column in 0..size {
            // The largest pivot: a small one would magnify rounding errors.
            let pivot = (column..size).max_by(|&left, &right| {
                let (left, right) = (rows[left][column], rows[right][column]);
                left.abs().total_cmp(&right.abs())
            })?;
            if rows[pivot][column] == 0.0 {
                return None;
            }
            rows.swap(column, pivot);
            order.swap(column, pivot);
            let (upper, lower) = rows.split_at_mut(column + 1);
            let pivot_row = &upper[column];
            for row in lower {
                let factor = row[column] / pivot_row[column];
                row[column] = factor;
                for (entry, above) in row.iter_mut().zip(pivot_row).skip(column + 1) {
                    *entry -= factor * above;
                }
            }
        }
        Some(Self { rows, order })
    }

    fn solve(&self, rhs: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = self.order.iter().map(|&row| rhs[row]).collect();
        for (index, row) in self.rows.iter().enumerate() {
            values[index] -= dot(&row[..index], &values);
        }
        for (index, row) in self.rows.iter().enumerate().rev() {
            let known = dot(&row[index + 1..], &values[index + 1..]);
            values[index] = (values[index] - known) / row[index];
        }
        values
    }

    /// As a list of columns; its norm is what is wanted.
    fn inverse(&self) -> Vec<Vec<f64>> {
        let size = self.order.len();
        let columns = (0..size).map(|unit| {
            let unit: Vec<f64> = (0..size).map(|row| f64::from(row == unit)).collect();
            self.solve(&unit)
        });
        transposed(&columns.collect::<Vec<_>>())
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// Largest sum of a column's absolute values.
fn one_norm(matrix: &[Vec<f64>]) -> f64 {
    let columns = transposed(matrix);
    let sums = columns
        .iter()
        .map(|column| column.iter().map(|x| x.abs()).sum());
    sums.fold(0.0, worst)
}

fn transposed(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..matrix.len())
        .map(|column| matrix.iter().map(|row| row[column]).collect())
        .collect()
}

/// `f64::max` would forget what is not a number.
fn worst(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.max(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(matrix: &[&[f64]], rhs: &[f64]) -> LinearSystem {
        let matrix = matrix.iter().map(|row| row.to_vec()).collect();
        LinearSystem::new(matrix, rhs.to_vec()).unwrap()
    }

    fn close(left: &[f64], right: &[f64]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-9)
    }

    #[test]
    fn equations_are_solved_with_a_small_residual() {
        let solution = system(
            &[&[2.0, 1.0, -1.0], &[-3.0, -1.0, 2.0], &[-2.0, 1.0, 2.0]],
            &[8.0, -11.0, -3.0],
        )
        .solve()
        .unwrap();
        assert!(close(&solution.values, &[2.0, 3.0, -1.0]), "{solution:?}");
        assert!(solution.residual < 1e-12, "{solution:?}");
        assert!(solution.condition >= 1.0, "{solution:?}");
    }

    #[test]
    fn a_zero_on_the_diagonal_needs_a_pivot_from_below() {
        let solution = system(&[&[0.0, 1.0], &[1.0, 0.0]], &[3.0, 5.0])
            .solve()
            .unwrap();
        assert!(close(&solution.values, &[5.0, 3.0]));
        assert!((solution.condition - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_tiny_pivot_costs_no_digits() {
        let solution = system(&[&[1e-20, 1.0], &[1.0, 1.0]], &[1.0, 2.0])
            .solve()
            .unwrap();
        assert!(close(&solution.values, &[1.0, 1.0]), "{solution:?}");
    }

    #[test]
    fn the_condition_number_is_that_of_the_textbook() {
        // Of the 3 × 3 Hilbert matrix: 748.
        let hilbert = system(
            &[
                &[1.0, 0.5, 1.0 / 3.0],
                &[0.5, 1.0 / 3.0, 0.25],
                &[1.0 / 3.0, 0.25, 0.2],
            ],
            &[1.0, 0.0, 0.0],
        );
        assert!((hilbert.solve().unwrap().condition - 748.0).abs() < 1e-6);
    }

    #[test]
    fn singular_and_nearly_singular_equations_are_refused() {
        for matrix in [
            [[1.0, 2.0], [2.0, 4.0]],
            [[0.0, 0.0], [0.0, 1.0]],
            [[1.0, 1.0], [1.0, 1.0 + 1e-13]],
            [[1e-300, 0.0], [0.0, 1e12]],
        ] {
            let rows: Vec<&[f64]> = matrix.iter().map(<[f64; 2]>::as_slice).collect();
            assert_eq!(
                system(&rows, &[1.0, 1.0]).solve(),
                Err(Singular),
                "{matrix:?}"
            );
        }
    }

    #[test]
    fn only_square_finite_systems_of_a_sensible_size_exist() {
        assert!(LinearSystem::new(vec![], vec![]).is_none());
        assert!(LinearSystem::new(vec![vec![1.0]], vec![1.0, 2.0]).is_none());
        assert!(LinearSystem::new(vec![vec![1.0, 2.0]], vec![1.0]).is_none());
        assert!(LinearSystem::new(vec![vec![f64::NAN]], vec![1.0]).is_none());
        let large = LARGEST_SIZE + 1;
        assert!(LinearSystem::new(vec![vec![0.0; large]; large], vec![0.0; large]).is_none());
    }
}
