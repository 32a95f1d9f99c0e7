# Random sequences of calls against a model: unread, lists, last messages,
# pages.  IM_SEED repeats a run, IM_STEPS sets its length; with CI=true three
# seeds run, twice as long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max);
use Test::More;
use Test::IM;

if ($ENV{CI} && !$ENV{IM_SEED}) {
    local $ENV{IM_STEPS} = $ENV{IM_STEPS} || 10_000;
    for (1 .. 3) {
        local $ENV{IM_SEED} = 1 + int rand 2**31;
        my $out = qx("$^X" "-I$FindBin::Bin/lib" "$0" 2>&1);
        is($?, 0, "IM_SEED=$ENV{IM_SEED}") or diag(substr $out, -8000);
    }
    done_testing;
    exit;
}

my $seed  = $ENV{IM_SEED}  || time ^ $$;
my $steps = $ENV{IM_STEPS} || 5000;
srand $seed;
note("IM_SEED=$seed");

my $t = Test::IM->new(workers => 2, conf_im => 'im_recall_window 0;')->start;

my @users = ('u1', 'x' x 64, 'y' x 64, 'CKD_P_903000000000001', 'a:b@c.d-e',
             '0');
my %conv;       # id => { type, users, owner, msgs, join, read, seen, hidden,
                #         time }
my (@log, @failed);

sub pick { $_[rand @_] }

sub text { return pick('m', "\x{6587}", '"\\', "\r\n", 'l' x 300, ' ') . $_[0] }


# --- the model

sub last_seq { scalar @{ $_[0]{msgs} } }

sub unread {
    my ($c, $user) = @_;
    return max 0, last_seq($c) - max($c->{join}{$user}, $c->{read}{$user} // 0,
                                     $c->{own}{$user} // 0);
}

sub mine {
    my $u = shift;
    grep { exists $_->{join}{$u} && !$_->{hidden}{$u} } values %conv;
}

sub reads {
    my ($c, $user, $seq) = @_;
    $c->{read}{$user} = max $c->{read}{$user} // 0, $seq;
    $c->{seen}{$user} = max $c->{seen}{$user} // 0, $seq     # joining is not
        if $seq >= $c->{join}{$user};
}

sub gone {
    my ($c, $user) = @_;
    delete $c->{$_}{$user} for qw(join read own alias seen hidden);
    $c->{users} = [ grep { $_ ne $user } @{ $c->{users} } ];
}

sub group { return pick(grep { $_->{type} } values %conv) }

sub stored {
    my ($c, $from, $text, $type, $r) = @_;
    push @{ $c->{msgs} }, { from => $from, msg => $text, type => $type,
                            id => $r->msg_id, time => $r->msg_time };
    $c->{own}{$from} = $c->{seen}{$from} = last_seq($c);
    $c->{time} = $r->msg_time;
    $c->{hidden} = {};
}


# --- comparing

sub same {
    my ($got, $want, $what) = @_;
    return if $got eq $want;
    push @failed, "$what: got '$got', expected '$want'";
}

sub check_list {
    my $user = shift;
    my $list = $t->list($user);
    my %want = map { $_->{id} => $_ } mine($user);
    same(scalar @$list, scalar keys %want, "conversations of $user");
    my $previous;
    for my $e (@$list) {
        my $c = $want{$e->{conv_id}};
        if (!$c) { push @failed, "$user is not in $e->{conv_id}"; next }
        my $m = $c->{msgs}[-1];
        my $what = "list of $user, $e->{conv_id}";
        $c->{time} //= $e->{last_time};     # a new group's creation
        same($e->{unread_count}, unread($c, $user), "$what: unread_count");
        same($e->{conv_type}, $c->{type}, "$what: conv_type");
        same("@{ $e->{conv_users} }", "@{ $c->{users} }", "$what: conv_users");
        same($e->{last_msg}, $m ? $m->{msg} : '', "$what: last_msg");
        same($e->{last_msg_type}, $m ? $m->{type} : 0, "$what: last_msg_type");
        same($e->{last_time}, $c->{time}, "$what: last_time");
        push @failed, "$what: not in order"
            if defined $previous && $previous < $e->{last_time};
        $previous = $e->{last_time};
    }
}

sub in_order {      # the owner first
    my $c = shift;
    my $owner = $c->{owner} // '';
    return ((grep { $_ eq $owner } @{ $c->{users} }),
            (grep { $_ ne $owner } @{ $c->{users} }));
}

sub check_members {
    my $c = shift;
    same(join(' ', map { "$_->{id}=$_->{alias}" } @{ $t->members($c->{id}) }),
         join(' ', map { "$_=" . ($c->{alias}{$_} // '') } in_order($c)),
         "members of $c->{id}");
}

# a call on a group: its code is compared, '' for 200
sub group_call {
    my ($c, $call, $want, %body) = @_;
    my $r = $t->post("/im/group/$c->{id}/$call", \%body);
    same($r->code, $want, "$call $c->{id}");
    same($r->body, '{}', "$call $c->{id}") if $want eq '';
    return "$call $c->{id} " . join(' ', map { ref() ? "[@$_]" : $_ } %body)
           . ": $want";
}

sub check_page {
    my ($c, $page, $no, $size) = @_;
    my @want = grep { defined } (reverse @{ $c->{msgs} })
               [ ($no - 1) * $size .. $no * $size - 1 ];
    check_messages($c, $page, \@want, "page $no of $size of $c->{id}");
}

sub check_messages {
    my ($c, $page, $want, $what) = @_;
    same(join(' ', map { "$_->{msg_id},$_->{from_id},$_->{msg},$_->{from_time}"
             } @$page),
         join(' ', map { "$_->{id},$_->{from},$_->{msg},$_->{time}" } @$want),
         $what);
}

sub check_readers {
    my $c = shift;
    same(join(' ', @{ $t->readers($c->{id}) }),
         join(' ', map { my $n = $c->{seen}{$_};
                         ($_ => $n ? $c->{msgs}[$n - 1]{id} : '')
              } in_order($c)), "readers of $c->{id}");
}


# --- the steps

my $n = 0;

sub pair_of {
    my ($x, $y) = @_;
    my ($c) = grep { $_->{type} == 0 && exists $_->{join}{$x}
                     && exists $_->{join}{$y} } values %conv;
    return $c;
}

my %step = (
    send_to => sub {
        my ($from, $to) = (pick(@users), pick(@users));
        return if $from eq $to;
        my ($text, $type) = (text(++$n), int rand 5);
        my $c = pair_of($from, $to);
        my @key = rand() < 0.3 ? (client_msg_id => "c$n") : ();
        my @send = ($from, $to, $text, msg_type => $type, @key);
        my $r = $t->say(@send);
        if (!$c) {
            $c = $conv{$r->conv_id} = { id => $r->conv_id, type => 0,
                users => [ $from, $to ], msgs => [],
                join => { $from => 0, $to => 0 } };
        }
        same($r->conv_id, $c->{id}, "conversation of $from and $to");
        stored($c, $from, $text, $type, $r);
        same($t->say(@send)->msg_id, $r->msg_id, 'sent again') if @key;
        return "$from to $to: $text";
    },
    send_in => sub {
        my $c = pick(values %conv) or return;
        my $from = pick(@{ $c->{users} }) // return;
        my $text = text(++$n);
        if ($c->{dismissed}) {
            same($t->post('/im/send/msg', { from_id => $from, msg => $text,
                 conv_id => $c->{id}, msg_type => 0 })->code, 'dismissed',
                 "send in $c->{id}");
            return "$from in $c->{id}, which is dismissed";
        }
        my $r = $t->say_in($from => $c->{id}, $text);
        stored($c, $from, $text, 0, $r);
        return "$from in $c->{id}: $text";
    },
    stranger => sub {
        my $c = pick(values %conv) or return;
        my ($user) = grep { !exists $c->{join}{$_} } @users or return;
        my $path = pick('send/msg', "conv/$c->{id}", "conv/$c->{id}/read");
        my $r = $t->post("/im/$path", { from_id => $user, conv_id => $c->{id},
                                        msg => 'x', msg_type => 0 });
        same($r->code, 'not_member', "$path by $user");
        return "$user to $path";
    },
    read => sub {
        my $c = pick(values %conv) or return;
        my $user = pick(@{ $c->{users} }) // return;
        my $seq = rand() < 0.5 ? 0 : 1 + int rand last_seq($c);
        $seq = 0 if $seq > last_seq($c);
        $t->mark($user => $c->{id}, $seq ? $c->{msgs}[$seq - 1]{id} : ());
        reads($c, $user, $seq || last_seq($c));
        return "$user reads $c->{id} to " . ($seq || 'the end');
    },
    page => sub {
        my $c = pick(values %conv) or return;
        my $user = pick(undef, @{ $c->{users} });
        my ($no, $size) = (pick(1, 1, 1, 2, 3), pick(1, 2, 5, 10, 50));
        my $page = $t->page($c->{id}, page_no => $no, page_size => $size,
                            defined $user ? (from_id => $user) : ());
        check_page($c, $page, $no, $size);
        reads($c, $user, last_seq($c)) if defined $user && $no == 1;
        return ($user // 'a backend') . " pages $c->{id} $no/$size";
    },
    from_to => sub {
        my ($from, $to) = (pick(@users), pick(@users));
        return if $from eq $to;
        my ($no, $size) = (pick(1, 1, 2), pick(1, 5, 20));
        my $page = $t->pair($from, $to, page_no => $no, page_size => $size);
        my $c = pair_of($from, $to);
        check_page($c || { id => 'none', msgs => [] }, $page, $no, $size);
        reads($c, $from, last_seq($c)) if $c && $no == 1;
        return "$from pages $to $no/$size";
    },
    create => sub {
        return if keys(%conv) > 20;
        my ($owner, @more) = map { pick(@users) } 1 .. 1 + rand 4;
        my %seen;
        my @all = grep { !$seen{$_}++ } $owner, @more;
        my $made = keys %conv;
        my $id = $t->group($owner, \@more, rand() < 0.5 ? ()
            : (conv_id => pick("g$made", "$made" . 'z' x (64 - length $made))));
        $conv{$id} = { id => $id, type => 1, users => \@all, msgs => [],
                       owner => $owner, join => { map { $_ => 0 } @all } };
        return "$id by $owner: @more";
    },
    join => sub {
        my $c = group() or return;
        my @new = map { pick(@users) } 1 .. 1 + rand 2;
        my $r = $t->post('/im/add/group/merber', { conv_id => $c->{id},
                                                   member => \@new });
        same($r->code, $c->{dismissed} ? 'dismissed' : '', "into $c->{id}");
        return "nobody into $c->{id}" if $c->{dismissed};
        for (@new) {
            next if exists $c->{join}{$_};
            push @{ $c->{users} }, $_;
            $c->{join}{$_} = last_seq($c);
        }
        return "@new into $c->{id}";
    },
    leave => sub {
        my ($c, $user) = (group() || return, pick(@users));
        my $code = !exists $c->{join}{$user} ? 'not_member'
            : $user eq $c->{owner} && !$c->{dismissed} ? 'is_owner' : '';
        my $what = group_call($c, 'leave', $code, from_id => $user);
        gone($c, $user) if $code eq '';
        return $what;
    },
    owner => sub {      # what an owner may, by anybody
        my ($c, $user) = (group() || return, pick(@users));
        $user = $c->{owner} if rand() < 0.5;
        my $call = pick(qw(remove remove transfer transfer set dismiss));
        my ($to, @member) = map { pick(@users) } 1 .. 1 + rand 3;
        return if $call eq 'dismiss' && rand() < 0.8;
        my $code = !exists $c->{join}{$user} ? 'not_member'
            : $user ne $c->{owner} ? 'forbidden'
            : $call eq 'remove' && (grep { $_ eq $user } @member) ? 'bad_request'
            : $call eq 'transfer' && !exists $c->{join}{$to} ? 'not_member'
            : $call ne 'dismiss' && $c->{dismissed} ? 'dismissed' : '';
        my $what = group_call($c, $call, $code, from_id => $user,
            $call eq 'remove' ? (member => \@member)
            : $call eq 'transfer' ? (to_id => $to)
            : $call eq 'set' ? (description => text(++$n)) : ());
        return $what if $code ne '';
        if ($call eq 'remove') { gone($c, $_) for @member }
        $c->{owner} = $to if $call eq 'transfer';
        $c->{dismissed} = 1 if $call eq 'dismiss';
        return $what;
    },
    alias => sub {
        my ($c, $user) = (group() || return, pick(@users));
        my $alias = pick('', 'Al', "\x{6587}") ;
        my $code = !exists $c->{join}{$user} ? 'not_member'
            : $c->{dismissed} ? 'dismissed' : '';
        my $what = group_call($c, 'alias', $code, id => $user, alias => $alias);
        $c->{alias}{$user} = $alias if $code eq '';
        return $what;
    },
    members => sub { my $c = group() or return; check_members($c);
                     return $c->{id} },
    cursor => sub {
        my $c = pick(grep { last_seq($_) } values %conv) or return;
        my ($user, $size) = (pick(undef, @{ $c->{users} }), pick(1, 2, 7, 50));
        my $last = last_seq($c);
        my $way = pick('before', 'after');
        my $seq = $way eq 'after' && rand() < 0.2 ? 0 : 1 + int rand $last;
        my ($from, $to) = $way eq 'before'
            ? (max(1, $seq - $size), $seq - 1)
            : ($seq + 1, $seq + $size < $last ? $seq + $size : $last);
        my $page = $t->page($c->{id}, page_size => $size,
            $way => $seq ? $c->{msgs}[$seq - 1]{id} : '',
            defined $user ? (from_id => $user) : ());
        my @want = reverse @{ $c->{msgs} }[ $from - 1 .. $to - 1 ];
        check_messages($c, $page, \@want, "$way $seq of $c->{id}");
        reads($c, $user, $to) if defined $user && $way eq 'after' && @want;
        return ($user // 'a backend') . " $way $seq of $c->{id}, $size";
    },
    recall => sub {
        my $c = pick(grep { last_seq($_) } values %conv) or return;
        my $m = $c->{msgs}[rand() < 0.3 ? -1 : rand @{ $c->{msgs} }];
        my $user = pick(@{ $c->{users} }, $m->{from}, $m->{from});
        my $r = $t->post('/im/msg/recall', { conv_id => $c->{id},
                         msg_id => $m->{id}, from_id => $user });
        my $may = $user eq $m->{from} || $user eq ($c->{owner} // ' ');
        my $want = !exists $c->{join}{$user} ? 'not_member'
            : !$may ? 'forbidden' : $c->{dismissed} ? 'dismissed' : '{}';
        same($r->code || $r->body, $want, 'recall');
        $m->{msg} = '' if $want eq '{}';
        return "$user recalls $m->{id} of $c->{id}";
    },
    hide => sub {
        my $c = pick(values %conv) or return;
        my $user = pick(@{ $c->{users} }) // return;
        $t->hide($user => $c->{id});
        $c->{hidden}{$user} = 1;
        return "$user hides $c->{id}";
    },
    readers => sub {
        my $c = pick(values %conv) or return;
        check_readers($c);
        return $c->{id};
    },
    total => sub {
        my $user = pick(@users);
        my $sum = 0;
        $sum += unread($_, $user) for mine($user);
        same($t->unread($user), $sum, "total of $user");
        return $user;
    },
    list => sub { my $user = pick(@users); check_list($user); return $user },
);

# how often each is done
my @deck = map { my ($name, $times) = @$_; ($name) x $times } (
    [ send_to => 6 ], [ send_in => 12 ], [ read => 4 ], [ page => 4 ],
    [ from_to => 3 ], [ join => 2 ], [ create => 1 ], [ stranger => 1 ],
    [ leave => 1 ], [ owner => 2 ], [ alias => 1 ], [ members => 1 ],
    [ total => 5 ], [ list => 4 ], [ cursor => 3 ], [ recall => 2 ],
    [ hide => 2 ], [ readers => 2 ],
);

my $done = 0;
STEP: for my $i (1 .. $steps) {
    my $name = pick(@deck);
    my $what = eval { $step{$name}->() };
    push @failed, "$name: $@" if $@;
    push @log, "$i $name " . ($what // '(nothing)');
    last STEP if @failed;
    $done++;
}

is($done, $steps, "$steps steps agree with the model")
    or diag(join "\n", "IM_SEED=$seed", @failed,
            'the last steps:', @log[max(0, $#log - 20) .. $#log]);

if (!@failed) {
    check_list($_) for @users;
    for my $user (@users) {
        my $sum = 0;
        $sum += unread($_, $user) for mine($user);
        same($t->unread($user), $sum, "total of $user");
    }
    for my $c (values %conv) {
        check_readers($c);
        check_members($c) if $c->{type};
    }
    is_deeply(\@failed, [], 'and so does the end')
        or diag("IM_SEED=$seed");
    ok($n > $steps / 4, "$n messages, " . keys(%conv) . ' conversations');
}

$t->done;
done_testing;
