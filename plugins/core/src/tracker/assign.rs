//! Who goes with whom at the least cost, exactly (the assignment problem).
//!
//! Most objects overlap with nothing but themselves, so what could go together falls into small
//! groups; each of more than a pair is solved on its own by shortest augmenting paths (Jonker and
//! Volgenant, 1987).

/// A row and a column that may go together, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) row: usize,
    pub(super) col: usize,
    pub(super) cost: f32,
}

/// For each of `rows` the column that goes with it, such that the sum of all costs is least, where
/// a row that goes with none costs `limit`. Edges at or above `limit` never count.
pub(super) fn assign(rows: usize, cols: usize, edges: &[Edge], limit: f32) -> Vec<Option<usize>> {
    let edges = edges.iter().copied().filter(|edge| edge.cost < limit);
    let mut uses = vec![0_u32; rows + cols];
    for edge in edges.clone() {
        uses[edge.row] += 1;
        uses[rows + edge.col] += 1;
    }
    let is_alone = |edge: &Edge| uses[edge.row] == 1 && uses[rows + edge.col] == 1;
    let (alone, rivals): (Vec<Edge>, Vec<Edge>) = edges.partition(is_alone);
    let mut taken = vec![None; rows];
    for edge in alone {
        taken[edge.row] = Some(edge.col);
    }
    if rivals.is_empty() {
        return taken;
    }
    let mut groups = Groups::new(rows + cols);
    for edge in &rivals {
        groups.join(edge.row, rows + edge.col);
    }
    let named = rivals.into_iter().map(|edge| (groups.of(edge.row), edge));
    let mut kept: Vec<(usize, Edge)> = named.collect();
    kept.sort_unstable_by_key(|(group, edge)| (*group, edge.row, edge.col));
    for group in kept.chunk_by(|a, b| a.0 == b.0) {
        solve(group, limit, &mut taken);
    }
    taken
}

/// Which things hang together (union-find).
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn of(&mut self, mut thing: usize) -> usize {
        while self.0[thing] != thing {
            self.0[thing] = self.0[self.0[thing]];
            thing = self.0[thing];
        }
        thing
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a] = b;
    }
}

/// Solves one group as a full matrix in which what may not go together costs `limit`: as much as
/// going with none.
fn solve(group: &[(usize, Edge)], limit: f32, taken: &mut [Option<usize>]) {
    let names = |of: fn(&Edge) -> usize| {
        let mut names: Vec<usize> = group.iter().map(|(_, edge)| of(edge)).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (rows, cols) = (names(|edge| edge.row), names(|edge| edge.col));
    // No side may be left without a partner, so the shorter one chooses.
    let turned = rows.len() > cols.len();
    let (few, many) = if turned {
        (&cols, &rows)
    } else {
        (&rows, &cols)
    };
    let mut costs = vec![limit; few.len() * many.len()];
    let place = |names: &[usize], name| names.partition_point(|other| *other < name);
    for (_, edge) in group {
        let (row, col) = (place(&rows, edge.row), place(&cols, edge.col));
        let at = if turned {
            col * many.len() + row
        } else {
            row * many.len() + col
        };
        costs[at] = edge.cost;
    }
    for (n, partner) in augment(&costs, few.len(), many.len())
        .into_iter()
        .enumerate()
    {
        if costs[n * many.len() + partner] < limit {
            let (row, col) = if turned {
                (rows[partner], cols[n])
            } else {
                (rows[n], cols[partner])
            };
            taken[row] = Some(col);
        }
    }
}

/// The column of each row of a matrix of `n` rows and `m ≥ n` columns. Rows enter one by one, each
/// along the cheapest path of exchanges; `u` and `v` are the potentials that keep all reduced
/// costs `cost − u − v ≥ 0`.
fn augment(costs: &[f32], n: usize, m: usize) -> Vec<usize> {
    const NOBODY: usize = usize::MAX;
    let (mut u, mut v) = (vec![0.0; n], vec![0.0; m + 1]);
    // The row in each column; the one past the last holds the row that enters.
    let mut row_in = vec![NOBODY; m + 1];
    for entering in 0..n {
        row_in[m] = entering;
        let mut least = vec![f32::INFINITY; m];
        let mut before = vec![m; m];
        let mut visited = vec![false; m + 1];
        let mut at = m;
        while row_in[at] != NOBODY {
            visited[at] = true;
            let row = row_in[at];
            let (mut step, mut next) = (f32::INFINITY, m);
            for col in (0..m).filter(|col| !visited[*col]) {
                let reduced = costs[row * m + col] - u[row] - v[col];
                if reduced < least[col] {
                    (least[col], before[col]) = (reduced, at);
                }
                if least[col] < step {
                    (step, next) = (least[col], col);
                }
            }
            for col in 0..=m {
                if visited[col] {
                    u[row_in[col]] += step;
                    v[col] -= step;
                } else {
                    least[col] -= step;
                }
            }
            at = next;
        }
        while at != m {
            row_in[at] = row_in[before[at]];
            at = before[at];
        }
    }
    let mut cols = vec![0; n];
    for (col, row) in row_in[..m]
        .iter()
        .enumerate()
        .filter(|(_, row)| **row != NOBODY)
    {
        cols[*row] = col;
    }
    cols
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: f32 = 10.0;

    /// The least sum by trying everything.
    fn least(rows: usize, edges: &[Edge], row: usize, used: u32) -> f32 {
        if row == rows {
            return 0.0;
        }
        let alone = LIMIT + least(rows, edges, row + 1, used);
        edges
            .iter()
            .filter(|edge| edge.row == row && used & (1 << edge.col) == 0 && edge.cost < LIMIT)
            .map(|edge| edge.cost + least(rows, edges, row + 1, used | 1 << edge.col))
            .fold(alone, f32::min)
    }

    proptest! {
        #[test]
        fn the_sum_is_the_least_that_trying_everything_finds(
            rows in 0..6_usize,
            cols in 1..6_usize,
            costs in proptest::collection::vec(0..14_u8, 36),
        ) {
            let edges: Vec<Edge> = (0..rows * cols)
                .map(|n| Edge { row: n / cols, col: n % cols, cost: f32::from(costs[n]) })
                .collect();
            let taken = assign(rows, cols, &edges, LIMIT);
            let cost = |(row, col): (usize, &Option<usize>)| match col {
                Some(col) => edges[row * cols + col].cost,
                None => LIMIT,
            };
            let sum: f32 = taken.iter().enumerate().map(cost).sum();
            prop_assert_eq!(sum, least(rows, &edges, 0, 0));
            let mut cols: Vec<_> = taken.iter().flatten().collect();
            cols.sort();
            let all = cols.len();
            cols.dedup();
            prop_assert_eq!(cols.len(), all);
        }
    }
}
