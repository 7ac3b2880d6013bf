//! Imported models, one for each subject, in memory and bounded. They do not outlive the
//! process, and nobody sees another's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use oidc::Subject;

use super::Model;

/// With the largest models about 12 MB.
pub(crate) const CAPACITY: usize = 500;

/// Cheap to clone; clones share the models.
#[derive(Clone)]
pub(crate) struct ModelStore {
    capacity: usize,
    example: Arc<Model>,
    imported: Arc<Mutex<Imported>>,
}

#[derive(Default)]
struct Imported {
    by_subject: HashMap<Subject, (u64, Arc<Model>)>,
    imports: u64,
}

impl ModelStore {
    /// Keeps at most `capacity` imported models; further ones replace the oldest imports.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            example: Arc::new(Model::example()),
            imported: Arc::default(),
        }
    }

    /// What `subject` imported last; the example for all others.
    pub(crate) fn of(&self, subject: &Subject) -> Arc<Model> {
        let imported = self.imported.lock().unwrap_or_else(PoisonError::into_inner);
        let found = imported.by_subject.get(subject);
        found.map_or_else(|| Arc::clone(&self.example), |(_, model)| Arc::clone(model))
    }

    /// Replaces the model of `subject`.
    pub(crate) fn import(&self, subject: &Subject, model: Model) {
        let mut imported = self.imported.lock().unwrap_or_else(PoisonError::into_inner);
        let imported = &mut *imported;
        imported.imports += 1;
        let entry = (imported.imports, Arc::new(model));
        imported.by_subject.insert(subject.clone(), entry);
        if imported.by_subject.len() > self.capacity {
            let oldest = imported.by_subject.iter().min_by_key(|(_, (age, _))| *age);
            if let Some(subject) = oldest.map(|(subject, _)| subject.clone()) {
                imported.by_subject.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Model {
        let document = serde_json::json!({"name": name, "matrix": [[1]], "rhs": [1]});
        Model::parse(&document).unwrap()
    }

    #[test]
    fn each_subject_has_its_own_model_and_others_have_the_example() {
        let store = ModelStore::new(10);
        let (ada, grace) = (Subject::new("ada"), Subject::new("grace"));
        store.import(&ada, named("of Ada"));
        assert_eq!(store.of(&ada).name(), "of Ada");
        assert_eq!(*store.of(&grace), Model::example());
        store.import(&ada, named("newer"));
        assert_eq!(store.of(&ada).name(), "newer");
    }

    #[test]
    fn beyond_the_capacity_the_oldest_import_goes() {
        let store = ModelStore::new(2);
        let subjects: Vec<_> = (0..3).map(|n| Subject::new(format!("s{n}"))).collect();
        store.import(&subjects[0], named("0"));
        store.import(&subjects[1], named("1"));
        // Imported again: now the other one is the oldest.
        store.import(&subjects[0], named("0 again"));
        store.import(&subjects[2], named("2"));
        let names: Vec<_> = subjects
            .iter()
            .map(|s| store.of(s).name().to_owned())
            .collect();
        assert_eq!(names, ["0 again", Model::example().name(), "2"]);
        assert_eq!(store.imported.lock().unwrap().by_subject.len(), 2);
    }
}
